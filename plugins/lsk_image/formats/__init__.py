"""Readers of images: class folders, NumPy, idx files and TensorFlow Datasets."""

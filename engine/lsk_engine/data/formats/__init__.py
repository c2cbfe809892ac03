"""Readers of ragged arrays, text files and TensorFlow Datasets."""

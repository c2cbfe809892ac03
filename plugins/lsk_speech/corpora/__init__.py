"""Sources of speech: synthesized, recorded, precomputed and TensorFlow Datasets."""

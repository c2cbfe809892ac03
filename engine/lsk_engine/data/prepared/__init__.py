"""Data sets that are prepared once and memory-mapped for training."""

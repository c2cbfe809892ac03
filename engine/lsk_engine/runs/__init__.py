"""Stored runs: directory, lock, checkpoints, and how to open them."""

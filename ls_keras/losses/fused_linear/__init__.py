"""Smoothed cross-entropy of a linear layer that never stores all logits."""

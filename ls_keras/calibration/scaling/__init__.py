"""Recalibration of logits and probabilities."""

"""Keras layers."""

from ls_keras.layers.tied_logits import TiedLogits

__all__ = ["TiedLogits"]

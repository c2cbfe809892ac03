"""Keras layers."""

from ls_keras.layers.log_probabilities import LogProbabilities
from ls_keras.layers.temperature import Temperature, VectorScaling
from ls_keras.layers.tied_logits import TiedLogits

__all__ = ["LogProbabilities", "Temperature", "TiedLogits", "VectorScaling"]

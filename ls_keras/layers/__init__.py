"""Keras layers."""

from ls_keras.layers.fused_logits import FusedLogits
from ls_keras.layers.log_probabilities import LogProbabilities
from ls_keras.layers.temperature import Temperature, VectorScaling
from ls_keras.layers.tied_logits import TiedLogits

__all__ = ["FusedLogits", "LogProbabilities", "Temperature", "TiedLogits", "VectorScaling"]

"""Layers that models of any task can hold: logits, and what calibrates them."""

from ls_keras.layers.classwise_map import ClasswiseMap
from ls_keras.layers.fused_logits import FusedLogits
from ls_keras.layers.log_probabilities import LogOdds, LogProbabilities
from ls_keras.layers.mixed_temperature import MatrixScaling, MixedTemperature
from ls_keras.layers.temperature import Temperature, VectorScaling
from ls_keras.layers.tied_logits import TiedLogits

__all__ = [
    "ClasswiseMap",
    "FusedLogits",
    "LogOdds",
    "LogProbabilities",
    "MatrixScaling",
    "MixedTemperature",
    "Temperature",
    "TiedLogits",
    "VectorScaling",
]


def __dir__() -> list[str]:
    return __all__

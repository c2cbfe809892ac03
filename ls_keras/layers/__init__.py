"""Output layers: tied and fused logits, and the layers that calibrate a model."""

from ls_keras.layers.calibration_layers import (
    LogOdds,
    LogProbabilities,
    MatrixScaling,
    MixedTemperature,
    Temperature,
    VectorScaling,
)
from ls_keras.layers.classwise_map import ClasswiseMap
from ls_keras.layers.fused_logits import FusedLogits
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

"""Keras metrics for classifiers: calibration error, accuracy, Brier score, likelihood."""

from ls_keras.metrics.accuracy import Accuracy
from ls_keras.metrics.brier_score import BrierScore
from ls_keras.metrics.expected_calibration_error import ExpectedCalibrationError
from ls_keras.metrics.negative_log_likelihood import NegativeLogLikelihood, Perplexity
from ls_keras.metrics.registry import get

__all__ = [
    "Accuracy",
    "BrierScore",
    "ExpectedCalibrationError",
    "NegativeLogLikelihood",
    "Perplexity",
    "get",
]


def __dir__() -> list[str]:
    return __all__

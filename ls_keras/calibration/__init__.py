"""Calibration: metrics, reliability curves and temperature scaling."""

from ls_keras.calibration.accuracy import Accuracy
from ls_keras.calibration.brier import BrierScore
from ls_keras.calibration.expected_calibration_error import ExpectedCalibrationError
from ls_keras.calibration.likelihood import NegativeLogLikelihood, Perplexity

__all__ = [
    "Accuracy",
    "BrierScore",
    "ExpectedCalibrationError",
    "NegativeLogLikelihood",
    "Perplexity",
]

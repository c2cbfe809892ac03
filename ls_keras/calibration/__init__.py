"""Calibration: metrics, reliability curves and temperature scaling."""

from ls_keras.calibration.accuracy import Accuracy
from ls_keras.calibration.brier import BrierScore
from ls_keras.calibration.expected_calibration_error import (
    ExpectedCalibrationError,
    expected_calibration_error,
)
from ls_keras.calibration.likelihood import NegativeLogLikelihood, Perplexity
from ls_keras.calibration.reliability import (
    ReliabilityAccumulator,
    curve_of_statistics,
    reliability_curve,
)
from ls_keras.calibration.reliability_curve import ReliabilityCurve

__all__ = [
    "Accuracy",
    "BrierScore",
    "ExpectedCalibrationError",
    "NegativeLogLikelihood",
    "Perplexity",
    "ReliabilityAccumulator",
    "ReliabilityCurve",
    "curve_of_statistics",
    "expected_calibration_error",
    "reliability_curve",
]

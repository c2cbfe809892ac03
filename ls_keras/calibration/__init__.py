"""Calibration: metrics, reliability curves and temperature scaling."""

from ls_keras.calibration.accuracy import Accuracy
from ls_keras.calibration.brier import BrierScore
from ls_keras.calibration.calibrated import CalibratedModel, calibrated
from ls_keras.calibration.classwise_reliability import classwise_reliability
from ls_keras.calibration.classwise_scaling import ClasswiseFit, fit_histogram, fit_isotonic
from ls_keras.calibration.expected_calibration_error import (
    ExpectedCalibrationError,
    expected_calibration_error,
)
from ls_keras.calibration.foreign_detection import (
    Detection,
    ForeignDetection,
    detection_score,
    foreign_detection,
)
from ls_keras.calibration.likelihood import NegativeLogLikelihood, Perplexity
from ls_keras.calibration.loss_parts import LossParts, loss_parts
from ls_keras.calibration.matrix_scaling import MatrixFit, fit_matrix_scaling
from ls_keras.calibration.mixed_temperature import MixedTemperatureFit, fit_mixed_temperature
from ls_keras.calibration.names import get
from ls_keras.calibration.recalibration import Recalibration
from ls_keras.calibration.reliability import (
    ReliabilityAccumulator,
    curve_of_statistics,
    reliability_curve,
)
from ls_keras.calibration.reliability_curve import ReliabilityCurve
from ls_keras.calibration.risk_coverage import (
    RiskCoverage,
    confidence_auroc,
    logit_norm_confidence,
    risk_coverage,
)
from ls_keras.calibration.smooth_error import (
    SmoothError,
    smooth_calibration_error,
    smooth_error_of_statistics,
)
from ls_keras.calibration.smooth_reliability import (
    SmoothReliability,
    smooth_curve_of_statistics,
    smooth_reliability_curve,
)
from ls_keras.calibration.temperature import TemperatureFit, fit_temperature
from ls_keras.calibration.temperature_curve import TemperatureCurve, temperature_curve
from ls_keras.calibration.temperature_dataset import fit_temperature_dataset
from ls_keras.calibration.vector_scaling import VectorFit, fit_vector_scaling

__all__ = [
    "Accuracy",
    "BrierScore",
    "CalibratedModel",
    "ClasswiseFit",
    "Detection",
    "ExpectedCalibrationError",
    "ForeignDetection",
    "LossParts",
    "MatrixFit",
    "MixedTemperatureFit",
    "NegativeLogLikelihood",
    "Perplexity",
    "Recalibration",
    "ReliabilityAccumulator",
    "ReliabilityCurve",
    "RiskCoverage",
    "SmoothError",
    "SmoothReliability",
    "TemperatureCurve",
    "TemperatureFit",
    "VectorFit",
    "calibrated",
    "classwise_reliability",
    "confidence_auroc",
    "curve_of_statistics",
    "detection_score",
    "expected_calibration_error",
    "fit_histogram",
    "fit_isotonic",
    "fit_matrix_scaling",
    "fit_mixed_temperature",
    "fit_temperature",
    "fit_temperature_dataset",
    "fit_vector_scaling",
    "foreign_detection",
    "get",
    "logit_norm_confidence",
    "loss_parts",
    "reliability_curve",
    "risk_coverage",
    "smooth_calibration_error",
    "smooth_curve_of_statistics",
    "smooth_error_of_statistics",
    "smooth_reliability_curve",
    "temperature_curve",
]


def __dir__() -> list[str]:
    return __all__

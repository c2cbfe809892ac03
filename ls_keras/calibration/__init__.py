"""Calibration: reliability curves, temperature scaling and other recalibration, ranking."""

from ls_keras.calibration.curves.reliability import (
    ReliabilityAccumulator,
    classwise_reliability,
    reliability_curve,
)
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve, curve_of_statistics
from ls_keras.calibration.curves.smooth_error import (
    SmoothError,
    smooth_calibration_error,
    smooth_error_of_statistics,
)
from ls_keras.calibration.curves.smooth_reliability import (
    SmoothReliability,
    smooth_curve_of_statistics,
    smooth_reliability_curve,
)
from ls_keras.calibration.ranking.ood_detection import (
    Detection,
    OODDetection,
    detection_score,
    ood_detection,
)
from ls_keras.calibration.ranking.risk_coverage import (
    RiskCoverage,
    confidence_auroc,
    logit_norm_confidence,
    risk_coverage,
)
from ls_keras.calibration.scaling.calibrated import CalibratedModel, calibrated
from ls_keras.calibration.scaling.classwise_scaling import ClasswiseFit, fit_histogram, fit_isotonic
from ls_keras.calibration.scaling.loss_decomposition import LossDecomposition, loss_decomposition
from ls_keras.calibration.scaling.mixed_scaling import (
    MatrixFit,
    MixedTemperatureFit,
    fit_matrix_scaling,
    fit_mixed_temperature,
)
from ls_keras.calibration.scaling.recalibration import Recalibration
from ls_keras.calibration.scaling.temperature import TemperatureFit, fit_temperature
from ls_keras.calibration.scaling.temperature_dataset import (
    TemperatureCurve,
    fit_temperature_dataset,
    temperature_curve,
)
from ls_keras.calibration.scaling.vector_scaling import VectorFit, fit_vector_scaling
from ls_keras.metrics.expected_calibration_error import expected_calibration_error

__all__ = [
    "CalibratedModel",
    "ClasswiseFit",
    "Detection",
    "LossDecomposition",
    "MatrixFit",
    "MixedTemperatureFit",
    "OODDetection",
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
    "logit_norm_confidence",
    "loss_decomposition",
    "ood_detection",
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

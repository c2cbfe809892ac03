"""Label smoothing for Keras, understood and usable.

`import ls_keras` registers every layer, loss and metric for serialization, so a model compiled
with them loads without `custom_objects`. The names imported here are the public ones.
"""

from ls_keras import backend  # noqa: F401 # selects an installed Keras backend

# isort: split
from ls_base import __version__
from ls_keras import (
    calibration,
    callbacks,
    decoding,
    diagnosis,
    distillation,
    information,
    layers,
    losses,
    metrics,
    plots,
    representation,
)
from ls_keras.calibration import (
    CalibratedModel,
    ReliabilityAccumulator,
    ReliabilityCurve,
    TemperatureFit,
    VectorFit,
    calibrated,
    expected_calibration_error,
    fit_temperature,
    fit_temperature_dataset,
    fit_vector_scaling,
    reliability_curve,
    smooth_calibration_error,
)
from ls_keras.callbacks import (
    AlphaSchedule,
    MutualInformationProbe,
    ProjectionPlotter,
    TemperatureScaling,
)
from ls_keras.decoding import beam_search, greedy_search
from ls_keras.diagnosis import Diagnosis, diagnose
from ls_keras.distillation import Distiller, TeacherLogits, distillation_loss, equivalent_smoothing
from ls_keras.errors import InputError, LsKerasError
from ls_keras.information import MutualInformation, mutual_information
from ls_keras.layers import FusedLogits, TiedLogits
from ls_keras.losses import (
    ConfidencePenalty,
    FocalCE,
    MarginSmoothing,
    MaxSup,
    NegativeSmoothing,
    Neighborhood,
    Prior,
    SmoothedBCE,
    SmoothedCE,
    Uniform,
    Unigram,
    alpha_from_off_target,
    linear_smoothed_ce,
    off_target_from_alpha,
    smooth_labels,
    smoothed_cross_entropy,
)
from ls_keras.metrics import (
    Accuracy,
    BrierScore,
    ExpectedCalibrationError,
    NegativeLogLikelihood,
    Perplexity,
)
from ls_keras.plots import reliability_diagram
from ls_keras.representation import (
    cluster_statistics,
    confidence_spread,
    mean_logits,
    nearest_classes,
    penultimate,
    project,
    project_classes,
    template_distances,
    template_plane,
    templates,
)

__all__ = [
    "Accuracy",
    "AlphaSchedule",
    "BrierScore",
    "CalibratedModel",
    "ConfidencePenalty",
    "Diagnosis",
    "Distiller",
    "ExpectedCalibrationError",
    "FocalCE",
    "FusedLogits",
    "InputError",
    "LsKerasError",
    "MarginSmoothing",
    "MaxSup",
    "MutualInformation",
    "MutualInformationProbe",
    "NegativeLogLikelihood",
    "NegativeSmoothing",
    "Neighborhood",
    "Perplexity",
    "Prior",
    "ProjectionPlotter",
    "ReliabilityAccumulator",
    "ReliabilityCurve",
    "SmoothedBCE",
    "SmoothedCE",
    "TeacherLogits",
    "TemperatureFit",
    "TemperatureScaling",
    "TiedLogits",
    "Uniform",
    "Unigram",
    "VectorFit",
    "__version__",
    "alpha_from_off_target",
    "beam_search",
    "calibrated",
    "calibration",
    "callbacks",
    "cluster_statistics",
    "confidence_spread",
    "decoding",
    "diagnose",
    "diagnosis",
    "distillation",
    "distillation_loss",
    "equivalent_smoothing",
    "expected_calibration_error",
    "fit_temperature",
    "fit_temperature_dataset",
    "fit_vector_scaling",
    "greedy_search",
    "information",
    "layers",
    "linear_smoothed_ce",
    "losses",
    "mean_logits",
    "metrics",
    "mutual_information",
    "nearest_classes",
    "off_target_from_alpha",
    "penultimate",
    "plots",
    "project",
    "project_classes",
    "reliability_curve",
    "reliability_diagram",
    "representation",
    "smooth_calibration_error",
    "smooth_labels",
    "smoothed_cross_entropy",
    "template_distances",
    "template_plane",
    "templates",
]


def __dir__() -> list[str]:
    return __all__

"""Label smoothing for Keras, understood and usable.

`import ls_keras` registers every layer, loss and metric for serialization, so a model compiled
with them loads without `custom_objects`. Only the `lsk` process defers that, to answer at once.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ls_keras import (
        calibration,
        callbacks,
        decoding,
        distillation,
        information,
        layers,
        losses,
        plots,
        representation,
    )
    from ls_keras.calibration import (
        Accuracy,
        BrierScore,
        CalibratedModel,
        ExpectedCalibrationError,
        NegativeLogLikelihood,
        Perplexity,
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
    )
    from ls_keras.decoding import beam_search, greedy_search
    from ls_keras.distillation import (
        Distiller,
        TeacherLogits,
        distillation_loss,
        equivalent_smoothing,
    )
    from ls_keras.errors import InputError, LsKerasError
    from ls_keras.information import MutualInformation, mutual_information
    from ls_keras.layers import TiedLogits
    from ls_keras.losses import (
        Neighborhood,
        Prior,
        SmoothedCE,
        Uniform,
        Unigram,
        alpha_from_off_target,
        off_target_from_alpha,
        smooth_labels,
        smoothed_cross_entropy,
    )
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

__version__ = "0.1.0"
__all__ = [
    "Accuracy",
    "BrierScore",
    "CalibratedModel",
    "Distiller",
    "ExpectedCalibrationError",
    "InputError",
    "LsKerasError",
    "MutualInformation",
    "NegativeLogLikelihood",
    "Neighborhood",
    "Perplexity",
    "Prior",
    "ReliabilityAccumulator",
    "ReliabilityCurve",
    "SmoothedCE",
    "TeacherLogits",
    "TemperatureFit",
    "TiedLogits",
    "Uniform",
    "Unigram",
    "VectorFit",
    "alpha_from_off_target",
    "beam_search",
    "calibrated",
    "calibration",
    "callbacks",
    "cluster_statistics",
    "confidence_spread",
    "decoding",
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
    "losses",
    "mean_logits",
    "mutual_information",
    "nearest_classes",
    "off_target_from_alpha",
    "penultimate",
    "plots",
    "project",
    "project_classes",
    "reliability_curve",
    "representation",
    "smooth_labels",
    "smoothed_cross_entropy",
    "template_distances",
    "template_plane",
    "templates",
]

# The module or package that each public name comes from; a package stands for all its names.
_SOURCES = (
    "errors",
    "losses",
    "layers",
    "calibration",
    "decoding",
    "distillation",
    "representation",
    "information",
    "callbacks",
    "plots",
)


def __getattr__(name: str) -> Any:
    if name in _SOURCES:
        return importlib.import_module(f"ls_keras.{name}")
    if name in __all__:
        for source in _SOURCES:
            module = importlib.import_module(f"ls_keras.{source}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'ls_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# The variable is taken out of the environment, so that a child of `lsk` imports everything again.
if os.environ.pop("LS_KERAS_LAZY", None) is None:
    for _name in __all__:
        globals()[_name] = __getattr__(_name)

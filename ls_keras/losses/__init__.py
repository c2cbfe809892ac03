"""Smoothed cross-entropy, its smoothings, and the losses it is compared with."""

from ls_keras.inputs.targets import with_alpha
from ls_keras.losses.alpha import alpha_from_off_target, off_target_from_alpha
from ls_keras.losses.confidence_penalty import ConfidencePenalty
from ls_keras.losses.focal_ce import FocalCE
from ls_keras.losses.fused_linear.cross_entropy import linear_smoothed_ce
from ls_keras.losses.margin_smoothing import MarginSmoothing
from ls_keras.losses.max_sup import MaxSup
from ls_keras.losses.negative_smoothing import NegativeSmoothing
from ls_keras.losses.registry import deserialize, get, serialize
from ls_keras.losses.smoothed_bce import SmoothedBCE
from ls_keras.losses.smoothed_ce import SmoothedCE, smooth_labels, smoothed_cross_entropy
from ls_keras.losses.smoothings import Neighborhood, Prior, Smoothing, Uniform, Unigram

__all__ = [
    "ConfidencePenalty",
    "FocalCE",
    "MarginSmoothing",
    "MaxSup",
    "NegativeSmoothing",
    "Neighborhood",
    "Prior",
    "SmoothedBCE",
    "SmoothedCE",
    "Smoothing",
    "Uniform",
    "Unigram",
    "alpha_from_off_target",
    "deserialize",
    "get",
    "linear_smoothed_ce",
    "off_target_from_alpha",
    "serialize",
    "smooth_labels",
    "smoothed_cross_entropy",
    "with_alpha",
]


def __dir__() -> list[str]:
    return __all__

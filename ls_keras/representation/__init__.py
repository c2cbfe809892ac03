"""Penultimate activations and class templates, and statistics of both (paper, section 2)."""

from ls_keras.representation.class_statistics import (
    ConfidenceSpread,
    MeanLogits,
    confidence_spread,
    mean_logits,
)
from ls_keras.representation.cluster_statistics import (
    ClusterAccumulator,
    ClusterStatistics,
    cluster_statistics,
)
from ls_keras.representation.penultimate import penultimate, templates
from ls_keras.representation.projection import (
    Projection,
    ProjectionSampler,
    TemplatePlane,
    project,
    project_classes,
    template_plane,
)
from ls_keras.representation.template_distances import nearest_classes, template_distances

__all__ = [
    "ClusterAccumulator",
    "ClusterStatistics",
    "ConfidenceSpread",
    "MeanLogits",
    "Projection",
    "ProjectionSampler",
    "TemplatePlane",
    "cluster_statistics",
    "confidence_spread",
    "mean_logits",
    "nearest_classes",
    "penultimate",
    "project",
    "project_classes",
    "template_distances",
    "template_plane",
    "templates",
]


def __dir__() -> list[str]:
    return __all__

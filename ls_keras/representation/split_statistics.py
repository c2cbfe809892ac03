"""All statistics of the activations of one split, in one pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ls_keras.representation.class_moments import ClassMoments
from ls_keras.representation.cluster_statistics import ClusterAccumulator
from ls_keras.representation.confidence_spread import ConfidenceSpread, true_probabilities
from ls_keras.representation.mean_logits import MeanLogits, center_logits
from ls_keras.representation.penultimate import append_bias_feature
from ls_keras.representation.projection import Projection, ProjectionSampler, TemplatePlane

# Number of logits computed at once: 64 MiB of float32 for any number of classes.
_ELEMENTS = 1 << 24


class SplitStatistics:
    """Accumulates projection, clusters, confidence and mean logits of one split.

    Args:
        templates: float32 `(D + 1, K)`, from `ls_keras.representation.templates`.
        plane: The plane to project onto.
        logit_classes: The classes of the mean-logit matrix.
        per_class: Examples to keep of each class of the plane. Default: 100.
        seed: Seed of the sample. Default: 0.
    """

    def __init__(
        self,
        templates: np.ndarray,
        plane: TemplatePlane,
        logit_classes: Sequence[int],
        *,
        per_class: int = 100,
        seed: int = 0,
    ):
        num_features, num_classes = templates.shape
        self._templates, self._logit_classes = templates, tuple(logit_classes)
        self._sampler = ProjectionSampler(plane, num_classes, per_class=per_class, seed=seed)
        self._clusters = self._in_span = ClusterAccumulator(templates)
        if num_classes <= num_features:  # otherwise the span is the whole space
            self._in_span = ClusterAccumulator(templates, in_span=True)
        self._confidences = ClassMoments(num_classes, 1)
        self._logits = ClassMoments(num_classes, len(self._logit_classes))

    def update(self, labels: np.ndarray, activations: np.ndarray) -> None:
        """Adds labels `(n,)` and activations `(n, D)` of positions that count."""
        self._sampler.update(labels, activations)
        self._clusters.update(labels, activations)
        if self._in_span is not self._clusters:
            self._in_span.update(labels, activations)
        rows = max(1, _ELEMENTS // self._templates.shape[1])
        for start in range(0, len(labels), rows):
            own = labels[start : start + rows]
            part = activations[start : start + rows].astype(np.float32)
            logits = append_bias_feature(part, len(self._templates)) @ self._templates
            self._confidences.add(own, true_probabilities(own, logits, from_logits=True)[:, None])
            self._logits.add(own, center_logits(logits, self._logit_classes))

    def projection(self, class_names: Sequence[str] | None = None) -> Projection:
        """Returns the projected sample."""
        return self._sampler.result(class_names)

    def mean_logits(self) -> MeanLogits:
        """Returns the mean logits of each class."""
        return MeanLogits.from_moments(self._logits, self._logit_classes)

    def values(self, class_names: Sequence[str] | None = None) -> dict[str, Any]:
        """Returns the statistics for JSON.

        `clusters` and `in_span` are summaries of `ClusterStatistics`, `confidence_spread` is the
        deviation of p_y within classes, `similarity` the similarity structure of the mean logits,
        and `classes` has a row for each class.
        """
        clusters, in_span = self._clusters.result(), self._in_span.result()
        spread = ConfidenceSpread.from_moments(self._confidences)
        rows = clusters.rows(class_names)
        for row, narrow in zip(rows, in_span.rows(class_names), strict=True):
            k = row["class"]
            row["in_span"] = {name: narrow[name] for name in list(narrow)[3:]}
            row["confidence"] = float(spread.mean[k])
            row["confidence_spread"] = float(spread.deviation[k])
        return {
            "examples": int(clusters.counts.sum()),
            "clusters": clusters.summary(),
            "in_span": in_span.summary(),
            "confidence_spread": spread.within(),
            "similarity": self.mean_logits().structure(),
            "classes": rows,
        }

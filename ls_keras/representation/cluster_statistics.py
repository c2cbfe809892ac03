"""How tight clusters of activations are, how equidistant from templates, and all of a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from ls_base.brief_repr import BriefRepr, brief_repr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_flag
from ls_keras.representation.class_statistics import (
    ClassMoments,
    ConfidenceSpread,
    MeanLogits,
    center_logits,
    divide,
    read_class_values,
    true_probabilities,
)
from ls_keras.representation.penultimate import append_bias_feature
from ls_keras.representation.projection import Projection, ProjectionSampler, TemplatePlane
from ls_keras.representation.template_distances import as_templates, template_distances

# Number of distances or logits computed at once: 64 MiB of float32 for any number of classes.
_ELEMENTS = 1 << 24


@dataclass(frozen=True, eq=False, repr=False)
class ClusterStatistics(BriefRepr):
    """Statistics of the activations of each class; arrays `(K,)`, NaN without examples.

    Attributes:
        counts: Number of examples.
        spread: Root mean square distance to the mean of the class: how tight the cluster is.
        own_distance: Mean distance to the template of the class.
        other_distance: Mean distance to the other templates.
        equidistance: Mean coefficient of variation (standard deviation over mean) of the distances
            of an example to the other templates; 0 if they are equal.
        between: Root mean square distance of the class means to their mean, weighted by examples:
            the scale to compare `spread` with.
    """

    counts: np.ndarray
    spread: np.ndarray
    own_distance: np.ndarray
    other_distance: np.ndarray
    equidistance: np.ndarray
    between: float

    def summary(self) -> dict[str, float]:
        """Returns the values over all examples, scale-free values first.

        `relative_spread` (spread over `between`), `relative_own_distance` (own distance over other
        distance) and `equidistance` can be compared between networks; `spread`, `between`,
        `own_distance` and `other_distance` have the scale of the activations of a network.
        """
        some = self.counts > 0
        share = self.counts[some] / self.counts.sum()
        spread = float(np.sqrt(share @ self.spread[some] ** 2))
        own, other = (float(share @ d[some]) for d in (self.own_distance, self.other_distance))
        return {
            "relative_spread": spread / self.between if self.between else float("nan"),
            "relative_own_distance": own / other if other else float("nan"),
            "equidistance": float(share @ self.equidistance[some]),
            "spread": spread,
            "between": self.between,
            "own_distance": own,
            "other_distance": other,
        }

    def rows(self, class_names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Returns a row for each class with examples, for JSON and CSV."""
        columns = ("spread", "own_distance", "other_distance", "equidistance")
        return [
            {
                "class": k,
                "name": str(k) if class_names is None else class_names[k],
                "count": int(self.counts[k]),
                **{name: float(getattr(self, name)[k]) for name in columns},
            }
            for k in map(int, np.flatnonzero(self.counts))
        ]


class ClusterAccumulator:
    """Computes `cluster_statistics` batch by batch; stores K·D sums, not the activations.

    Args:
        templates: Tensor `(D, K)`, features × classes, with the bias as the last row.
        in_span: See `cluster_statistics`. Default: `False`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.representation import ClusterAccumulator
    >>> clusters = ClusterAccumulator(np.eye(3))
    >>> for k in range(3):
    ...     clusters.update([k], np.eye(3)[[k]])
    >>> clusters.result().counts
    array([1, 1, 1])
    """

    def __init__(self, templates, *, in_span: bool = False):
        as_flag(in_span, "in_span")
        w = as_array(as_templates(templates), "templates")
        self.num_features, self.num_classes = w.shape
        # A vector added to all templates changes no probability, but every distance.
        self._centered = w - w.mean(axis=1, keepdims=True, dtype=np.float64).astype(w.dtype)
        self._basis = None
        if in_span:
            u, scale, _ = np.linalg.svd(self._centered.astype(np.float64), full_matrices=False)
            # Directions of the size of float32's rounding error do not count.
            rank = int((scale > 1e-6 * max(scale[0], np.abs(w).max())).sum())
            if not rank:
                raise InputError(
                    "Expected templates that differ, because in_span=True projects onto the space "
                    "of their differences. Received: equal templates"
                )
            self._basis = u[:, :rank].astype(np.float32)
            self._centered = self._basis.T @ self._centered
        self._moments = ClassMoments(self.num_classes, len(self._centered))
        self._sums = {name: np.zeros(self.num_classes) for name in ("own", "other", "equidistance")}

    def __repr__(self) -> str:
        in_span = self._basis is not None
        return brief_repr(
            self, features=self.num_features, classes=self.num_classes, in_span=in_span
        )

    def update(self, y_true, activations, *, mask=None, ignore_class: IgnoreClass = None) -> None:
        """Adds a batch; see `cluster_statistics` for the arguments."""
        labels, values = read_class_values(
            y_true, activations, self.num_classes, mask=mask, ignore_class=ignore_class
        )
        if not len(labels):
            return
        values = append_bias_feature(values, self.num_features).astype(np.float32)
        if self._basis is not None:
            values = values @ self._basis
        self._moments.add(labels, values)
        rows = max(1, _ELEMENTS // self.num_classes)
        for start in range(0, len(labels), rows):
            self._add_distances(labels[start : start + rows], values[start : start + rows])

    def result(self) -> ClusterStatistics:
        """Returns the statistics of all batches.

        Raises:
            InputError: If there was no example.
        """
        self._moments.check_not_empty()
        counts = self._moments.counts
        some = counts > 0
        share = counts[some] / counts.sum()
        means = self._moments.means[some]
        between = np.sqrt(share @ np.sum((means - share @ means) ** 2, axis=1))
        own, other, equidistance = (divide(sums, counts) for sums in self._sums.values())
        return ClusterStatistics(
            counts.copy(), self._moments.deviations(), own, other, equidistance, float(between)
        )

    def _add_distances(self, labels: np.ndarray, values: np.ndarray) -> None:
        n = len(labels)
        # Padded to powers of two, because XLA compiles each shape.
        padded = np.zeros((1 << (n - 1).bit_length(), values.shape[1]), np.float32)
        padded[:n] = values
        distances = np.array(ops.convert_to_numpy(template_distances(padded, self._centered)))[:n]
        rows = np.arange(n)
        own = distances[rows, labels]
        # The own template is excluded from the mean and from the deviations.
        distances[rows, labels] = 0.0
        other = distances.sum(axis=1, dtype=np.float64) / (self.num_classes - 1)
        distances -= other[:, None].astype(np.float32)
        distances[rows, labels] = 0.0
        squares = np.einsum("nk,nk->n", distances, distances) / (self.num_classes - 1)
        # If all templates are at one point, the variation is 0.
        variation = np.sqrt(squares) / np.where(other > 0, other, 1.0)
        for name, column in (("own", own), ("other", other), ("equidistance", variation)):
            self._sums[name] += np.bincount(labels, weights=column, minlength=self.num_classes)


def cluster_statistics(
    y_true,
    activations,
    templates,
    *,
    in_span: bool = False,
    mask=None,
    ignore_class: IgnoreClass = None,
) -> ClusterStatistics:
    r"""Measures what Figure 1 of the paper shows, for all classes and in all dimensions.

    For an example x of class y with the distances $d_k = \lVert x - (w_k - \bar w)\rVert$, it
    averages over the class

    - the distance to the own template, $d_y$, and
    - the coefficient of variation of the other distances,
      $\mathrm{std}_{k\ne y}(d_k) / \mathrm{mean}_{k\ne y}(d_k)$,

    and it computes the root mean square distance of the examples of a class to their mean. Label
    smoothing should lower all three. Templates are centered ($\bar w$ is their mean), because a
    vector added to all templates changes no probability but every distance.

    The part of an activation outside the span of the centered templates changes no probability
    either, but adds the same amount to all squared distances. Where it is large, as in a ReLU
    network with few classes, all distances become similar, with or without smoothing.
    `in_span=True` removes it.

    Sums are computed with NumPy in float64.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`.
        activations: Tensor `(..., D)`; with one feature less than the templates, a 1 is appended.
        templates: Tensor `(D, K)`, features × classes, with the bias as the last row.
        in_span: Whether to project activations onto the span of the centered templates first.
            Default: `False`.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Returns:
        A `ClusterStatistics`.

    Raises:
        InputError: If no example counts, labels are not integers in range, shapes do not match, or
            values are not finite.

    Example:
        Two examples of class 0, both at distance 1 from their template. The templates of classes
        1 and 2 are equally far from the first example, but not from the second.

        >>> import numpy as np
        >>> from ls_keras.representation import cluster_statistics
        >>> templates = np.array([[0.0, 3.0, -3.0], [0.0, 0.0, 0.0]])
        >>> found = cluster_statistics([0, 0], [[0.0, 1.0], [1.0, 0.0]], templates)
        >>> float(found.own_distance[0]), round(float(found.equidistance[0]), 4)
        (1.0, 0.1667)

    References:
        Müller et al., When Does Label Smoothing Help?, NeurIPS 2019 (arXiv 1906.02629), section 2
    """
    clusters = ClusterAccumulator(templates, in_span=in_span)
    clusters.update(y_true, activations, mask=mask, ignore_class=ignore_class)
    return clusters.result()


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

"""How tightly activations gather, and how evenly they keep away from the other templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_base.short_repr import Fields, one_line
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_flag
from ls_keras.representation.class_moments import ClassMoments, divide
from ls_keras.representation.host_labels import read_host_labels
from ls_keras.representation.penultimate import with_one
from ls_keras.representation.template_distances import as_templates, template_distances

# Distances computed at a time: 64 MiB of float32, whatever the number of classes.
_ELEMENTS = 1 << 24


@dataclass(frozen=True, eq=False, repr=False)
class ClusterStatistics(Fields):
    """What the activations of each class look like; arrays `(K,)`, NaN without examples.

    Attributes:
        counts: Examples.
        spread: Root mean square distance to the class's own mean: how tight the cluster is.
        own_distance: Mean distance to the class's own template.
        other_distance: Mean distance to the other templates.
        equidistance: Mean coefficient of variation (standard deviation over mean) of an example's
            distances to the other templates: 0 if it is equally far from all of them.
        between: Root mean square distance of the class means to their mean, weighted by examples:
            the scale that `spread` is read against.
    """

    counts: np.ndarray
    spread: np.ndarray
    own_distance: np.ndarray
    other_distance: np.ndarray
    equidistance: np.ndarray
    between: float

    def summary(self) -> dict[str, float]:
        """Returns the values over all examples, those without a scale first.

        `relative_spread` (spread over `between`), `relative_own_distance` (own distance over that
        to the others) and `equidistance` compare between networks; `spread`, `between`,
        `own_distance` and `other_distance` have the scale of a network's activations.
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
        """Returns a row for each class with examples, as JSON and CSV can hold it."""
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
    """`cluster_statistics`, batch by batch: holds K·D sums, never the activations.

    Args:
        templates: Tensor `(D, K)`, features × classes, the bias as last row.
        in_span: As in `cluster_statistics`.

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
        # One vector added to all templates changes no probability, but every distance.
        self._centered = w - w.mean(axis=1, keepdims=True, dtype=np.float64).astype(w.dtype)
        self._basis = None
        if in_span:
            u, scale, _ = np.linalg.svd(self._centered.astype(np.float64), full_matrices=False)
            # float32's rounding is no direction: equal templates span none.
            rank = int((scale > 1e-6 * max(scale[0], np.abs(w).max())).sum())
            if not rank:
                raise InputError(
                    "Expected templates that differ (in_span=True is about the space of their "
                    "differences). Received: templates that are alike"
                )
            self._basis = u[:, :rank].astype(np.float32)
            self._centered = self._basis.T @ self._centered
        self._moments = ClassMoments(self.num_classes, len(self._centered))
        self._sums = {name: np.zeros(self.num_classes) for name in ("own", "other", "equidistance")}

    def __repr__(self) -> str:
        return one_line(
            self,
            features=self.num_features,
            classes=self.num_classes,
            in_span=self._basis is not None,
        )

    def update(self, y_true, activations, *, mask=None, ignore_class: IgnoreClass = None) -> None:
        """Adds a batch; arguments as of `cluster_statistics`."""
        labels, values = read_host_labels(
            y_true, activations, self.num_classes, mask=mask, ignore_class=ignore_class
        )
        if not len(labels):
            return
        values = with_one(values, self.num_features).astype(np.float32)
        if self._basis is not None:
            values = values @ self._basis
        self._moments.add(labels, values)
        rows = max(1, _ELEMENTS // self.num_classes)
        for start in range(0, len(labels), rows):
            self._add_distances(labels[start : start + rows], values[start : start + rows])

    def result(self) -> ClusterStatistics:
        """Returns the statistics of what was added.

        Raises:
            InputError: If nothing was.
        """
        counts = self._moments.counts
        if not counts.sum():
            raise InputError("Expected at least one example that counts. Received: none")
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
        # Few shapes: XLA compiles each one.
        padded = np.zeros((1 << (n - 1).bit_length(), values.shape[1]), np.float32)
        padded[:n] = values
        distances = np.array(ops.convert_to_numpy(template_distances(padded, self._centered)))[:n]
        rows = np.arange(n)
        own = distances[rows, labels]
        # The own template is left out of the mean and of the deviations from it.
        distances[rows, labels] = 0.0
        other = distances.sum(axis=1, dtype=np.float64) / (self.num_classes - 1)
        distances -= other[:, None].astype(np.float32)
        distances[rows, labels] = 0.0
        squares = np.einsum("nk,nk->n", distances, distances) / (self.num_classes - 1)
        # All at one point: no distance varies.
        varies = np.sqrt(squares) / np.where(other > 0, other, 1.0)
        for name, column in (("own", own), ("other", other), ("equidistance", varies)):
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

    Of an example x of class y, with distances $d_k = \lVert x - (w_k - \bar w)\rVert$:

    - its distance to its own template, $d_y$;
    - the coefficient of variation of the others,
      $\mathrm{std}_{k\ne y}(d_k) / \mathrm{mean}_{k\ne y}(d_k)$;

    and of a class, the root mean square distance of its examples to their mean. Label smoothing
    is to lower all three. Templates are centered ($\bar w$ is their mean), since one vector added
    to all of them changes no probability but every distance.

    Nor does what an activation has outside the span of the centered templates change any
    probability; but it adds the same to all squared distances, and where it is large (a ReLU
    network of few classes) all distances become alike, with or without smoothing. `in_span=True`
    leaves it out.

    Sums are in float64 on the host.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`.
        activations: Tensor `(..., D)`; with one feature less than the templates, a 1 is appended.
        templates: Tensor `(D, K)`, features × classes, the bias as last row.
        in_span: Whether to project activations onto the span of the centered templates first.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Returns:
        A `ClusterStatistics`.

    Raises:
        InputError: If no example counts, labels are not integers in range, shapes don't belong
            together, or values are not finite.

    Example:
        Two examples of class 0, both at distance 1 from their template; the templates of classes
        1 and 2 are equally far from the first, not from the second.

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

"""Isotonic regression and histogram binning: a curve for each class, one against the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ls_keras.calibration.scaling.recalibration import (
    Recalibration,
    log_softmax,
    read_fit_examples,
    score,
)
from ls_keras.inputs.numpy_examples import HostExamples, read_rows
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.layers import ClasswiseMap
from ls_keras.metrics.binning import check_num_bins, equal_width_edges

Kind = Literal["linear", "step"]
# Maps probabilities, targets and weights `(n,)` of one class to the knots of its curve.
FitCurve = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ClasswiseFit(Recalibration):
    """Result of `fit_isotonic` or `fit_histogram`; `Recalibration` documents its scores.

    Attributes:
        kind: `"linear"` between knots (isotonic), or `"step"` up to each knot (histogram).
        x: Probabilities of the knots, a float64 array for each class, ascending. For two classes,
            the first mirrors the second, and is computed as its complement.
        y: Values of the curves at `x`, before the classes are normalized.
        mixing: ε = 1/(n + 1).
    """

    kind: Kind
    x: tuple[np.ndarray, ...]
    y: tuple[np.ndarray, ...]
    mixing: float

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.x)

    def scale_logits(self, z: np.ndarray) -> np.ndarray:
        """Returns log((1 − ε) q + ε/K), q the normalized curves."""
        allowed = z != -np.inf
        p = np.exp(log_softmax(z))
        q = np.empty(p.shape)
        for k, (x, y) in enumerate(zip(self.x, self.y, strict=True)):
            if self.kind == "linear":
                q[:, k] = np.interp(p[:, k], x, y)
            else:
                at = np.searchsorted(x, p[:, k].astype(np.float32))
                q[:, k] = y[np.minimum(at, len(x) - 1)]
        if self.num_classes == 2:  # the edge of a bin belongs to another bin in the mirror image
            q[:, 0] = 1 - q[:, 1]
        q *= allowed
        uniform = allowed / allowed.sum(-1, keepdims=True)
        total = q.sum(-1, keepdims=True)
        q = np.divide(q, total, out=uniform.copy(), where=total > 0)
        with np.errstate(divide="ignore"):
            return np.log((1 - self.mixing) * q + self.mixing * uniform)

    def make_layer(self, name: str) -> ClasswiseMap:
        """Returns a `ClasswiseMap` layer that holds the knots."""
        knots = max(map(len, self.x))
        rest = self.num_classes == 2
        made = ClasswiseMap(knots, self.kind, self.mixing, first_is_rest=rest, name=name)
        made.build((None, self.num_classes))
        x, y = (
            np.stack([np.pad(row, (0, knots - len(row)), "edge") for row in rows])
            for rows in (self.x, self.y)
        )
        with np.errstate(divide="ignore"):
            made.set_weights([np.log(x) - np.log1p(-x), y])
        return made


def fit_isotonic(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    num_bins: int = 15,
) -> ClasswiseFit:
    """Fits an increasing curve for the probability of each class: isotonic regression.

        q_k = f_k(p_k) / Σ_l f_l(p_l), then (1 − ε) q + ε/K with ε = 1/(n + 1)

    f_k is the non-decreasing function with the least weighted squared distance from [label = k],
    linear between its knots and constant beyond. For two classes, the second is fitted and the
    first is its complement. It corrects any monotone distortion, but needs many examples of each
    class. Mixing keeps probabilities above 0: without it, the NLL of the next example may be
    infinite.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes.
        mask: Boolean, of the shape of the labels; false where a position does not count.
        ignore_class: Label id, or several, whose positions do not count.
        num_bins: Number of bins of the ECE.

    Returns:
        A `ClasswiseFit`, for `calibrated`, `logits` or `probabilities`.

    Raises:
        InputError: As `fit_temperature`.

    Example:
        >>> from ls_keras.calibration import fit_isotonic
        >>> p = [[0.6, 0.4]] * 4 + [[0.2, 0.8]] * 4
        >>> fit = fit_isotonic([0, 0, 0, 1, 1, 1, 1, 1], p)
        >>> [y.tolist() for y in fit.y][1]  # a quarter of the first four, all of the others
        [0.25, 1.0]

    References:
        Zadrozny, Elkan, *Transforming classifier scores into accurate multiclass probability
        estimates*, KDD 2002.
    """
    from scipy.optimize import isotonic_regression  # imported late: it takes long

    def fit_curve(p, target, weights):
        order = np.argsort(p, kind="stable")
        x, first = np.unique(p[order], return_index=True)
        mass = np.add.reduceat(weights[order], first)
        mean = np.add.reduceat((weights * target)[order], first) / mass
        y = isotonic_regression(mean, weights=mass).x.clip(0, 1)
        # Inside a level, only its ends matter.
        ends = np.r_[True, (np.diff(y)[1:] != 0) | (np.diff(y)[:-1] != 0), True]
        return (x[ends], y[ends]) if len(x) > 1 else (x, y)

    examples = read_fit_examples(y_true, y_pred, from_logits, sample_weight, mask, ignore_class)
    return _fit("linear", fit_curve, num_bins, examples)


def fit_histogram(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    num_bins: int = 15,
) -> ClasswiseFit:
    """Replaces the probability of each class by how often that class was right in the same bin.

        q_k = f_k(p_k) / Σ_l f_l(p_l), then (1 − ε) q + ε/K with ε = 1/(n + 1)

    f_k is the share of label k among the examples in the bin of p_k; bins are equally wide,
    left-open and right-closed, and a bin without examples keeps its center. For two classes, the
    second is fitted and the first is its complement.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes.
        mask: Boolean, of the shape of the labels; false where a position does not count.
        ignore_class: Label id, or several, whose positions do not count.
        num_bins: Number of bins for each class, and of the ECE.

    Returns:
        A `ClasswiseFit`, for `calibrated`, `logits` or `probabilities`.

    Raises:
        InputError: As `fit_temperature`.

    Example:
        >>> from ls_keras.calibration import fit_histogram
        >>> p = [[0.6, 0.4]] * 4 + [[0.2, 0.8]] * 4
        >>> fit = fit_histogram([0, 0, 0, 1, 1, 1, 1, 1], p, num_bins=2)
        >>> [y.tolist() for y in fit.y][1]
        [0.25, 1.0]

    References:
        Zadrozny, Elkan, *Obtaining calibrated probability estimates from decision trees and naive
        Bayesian classifiers*, ICML 2001.
    """
    edges = equal_width_edges(check_num_bins(num_bins))

    def fit_curve(p, target, weights):
        index = np.searchsorted(edges[1:-1], p.astype(np.float32), side="left")
        mass = np.bincount(index, weights, num_bins)
        hits = np.bincount(index, weights * target, num_bins)
        middle = (edges[:-1] + edges[1:]) / 2
        return edges[1:], np.divide(hits, mass, out=middle.astype(np.float64), where=mass > 0)

    examples = read_fit_examples(y_true, y_pred, from_logits, sample_weight, mask, ignore_class)
    return _fit("step", fit_curve, num_bins, examples)


def _fit(kind: Kind, fit_curve: FitCurve, num_bins: int, examples: HostExamples) -> ClasswiseFit:
    check_num_bins(num_bins)
    logits = read_rows(examples.logits, examples.rows, slice(None)).astype(np.float64)
    p = np.exp(log_softmax(logits))
    num_classes = p.shape[1]
    knots = [
        fit_curve(np.ascontiguousarray(p[:, k]), _target(examples, k), examples.weights)
        for k in ([1] if num_classes == 2 else range(num_classes))
    ]
    if num_classes == 2:
        knots.insert(0, _mirror(kind, *knots[0]))
    before = score(examples, log_softmax, num_bins)
    return ClasswiseFit.with_scores(
        examples,
        num_bins,
        (before.nll, before.ece),
        kind=kind,
        x=tuple(x for x, _ in knots),
        y=tuple(y for _, y in knots),
        mixing=1 / (len(examples) + 1),
    )


def _target(examples: HostExamples, k: int) -> np.ndarray:
    """Returns the target probability of class k for each example, float64 `(n,)`."""
    if examples.labels is not None:
        return (examples.labels == k).astype(np.float64)
    y = read_rows(examples.dense, examples.rows, slice(None))  # type: ignore[arg-type]
    mass = np.asarray(examples.mass)
    return np.divide(y[:, k], mass, out=np.zeros(len(y)), where=mass > 0)


def _mirror(kind: Kind, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the knots of 1 − f(1 − p)."""
    if kind == "step":  # each knot is the upper edge of its bin
        return x, 1 - y[::-1]
    return 1 - x[::-1], 1 - y[::-1]

"""Isotonic regression and histogram binning: a curve for every class, one against the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ls_base.errors import MissingExtraError
from ls_keras.calibration.scaling.recalibration import (
    Recalibration,
    score,
    tempered_log_probabilities,
)
from ls_keras.inputs.numpy_examples import (
    HostExamples,
    check_any_counts,
    read_host_examples,
    read_rows,
)
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.layers import ClasswiseMap
from ls_keras.metrics.binning import check_num_bins, equal_width_edges

# Probabilities, targets and weights `(n,)` of one class to the knots of its curve.
FitCurve = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ClasswiseFit(Recalibration):
    """What `fit_isotonic` or `fit_histogram` found; see `Recalibration` for its scores.

    Attributes:
        kind: `"linear"` between knots (isotonic), or `"step"` up to each (histogram).
        x: Probabilities of the knots, a float32 array of each class, ascending. Of two classes
            the first has the second's in the mirror, and is computed as what is left.
        y: What they become, before the classes are normalized.
        mixing: ε = 1/(n + 1).
    """

    kind: Literal["linear", "step"]
    x: tuple[np.ndarray, ...]
    y: tuple[np.ndarray, ...]
    mixing: float

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.x)

    def log_probabilities(self, z: np.ndarray) -> np.ndarray:
        """Returns log((1 − ε) q + ε/K), q the normalized curves."""
        allowed = z != -np.inf
        p = np.exp(tempered_log_probabilities(z)).astype(np.float32)
        q = np.empty(p.shape)
        for k, (x, y) in enumerate(zip(self.x, self.y, strict=True)):
            if self.kind == "linear":
                q[:, k] = np.interp(p[:, k], x, y)
            else:
                q[:, k] = y[np.minimum(np.searchsorted(x, p[:, k]), len(x) - 1)]
        if self.num_classes == 2:  # a bin's edge is another bin's in the mirror
            q[:, 0] = 1 - q[:, 1]
        q *= allowed
        uniform = allowed / allowed.sum(-1, keepdims=True)
        total = q.sum(-1, keepdims=True)
        q = np.divide(q, total, out=uniform.copy(), where=total > 0)
        with np.errstate(divide="ignore"):
            return np.log((1 - self.mixing) * q + self.mixing * uniform)

    def layer(self, name: str) -> ClasswiseMap:
        """Returns a `ClasswiseMap` that holds the knots."""
        knots = max(map(len, self.x))
        rest = self.num_classes == 2
        made = ClasswiseMap(knots, self.kind, self.mixing, first_is_rest=rest, name=name)
        made.build((None, self.num_classes))
        made.set_weights(
            [
                np.stack([np.pad(row, (0, knots - len(row)), "edge") for row in rows])
                for rows in (self.x, self.y)
            ]
        )
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
    """Fits, by scikit-learn, a rising curve for each class's probability: isotonic regression.

        q_k = f_k(p_k) / Σ_l f_l(p_l), then (1 − ε) q + ε/K with ε = 1/(n + 1)

    f_k is the rising function nearest to whether the label is k, in weighted squares; linear
    between its knots, constant beyond. Of two classes the second is fitted, and the first is what
    is left. It bends to any rising distortion, and needs examples for that, many of each class.
    Unmixed, classes get a probability of 0, and the NLL of the next example may be infinite.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities or logits; read in float32.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels, or of their leading axes.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count.
        num_bins: Bins of the ECE before and after.

    Returns:
        A `ClasswiseFit`, for `calibrated` or `probabilities`.

    Raises:
        InputError: As `fit_temperature`.
        MissingExtraError: If scikit-learn is not installed.

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
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError as error:
        raise MissingExtraError(
            "Expected scikit-learn, which fits isotonic regressions: pip install scikit-learn. "
            f"Received: {error}"
        ) from error

    def curve(p, target, weights):
        found = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        found.fit(p, target, sample_weight=weights)
        return found.X_thresholds_, found.y_thresholds_

    return _fit(
        "linear",
        curve,
        num_bins,
        y_true,
        y_pred,
        from_logits=from_logits,
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
    )


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
    """Replaces each class's probability by how often it was right in the same bin.

        q_k = f_k(p_k) / Σ_l f_l(p_l), then (1 − ε) q + ε/K with ε = 1/(n + 1)

    f_k is the share of label k among the examples of p_k's bin, equally wide, left-open and
    right-closed; the middle of a bin without examples. Of two classes the second is fitted, and the
    first is what is left. scikit-learn has none: this one needs NumPy alone.

    Args:
        y_true: As for `fit_isotonic`.
        y_pred: Likewise.
        from_logits: Likewise.
        sample_weight: Likewise.
        mask: Likewise.
        ignore_class: Likewise.
        num_bins: Bins of each class's probability, and of the ECE before and after.

    Returns:
        A `ClasswiseFit`, for `calibrated` or `probabilities`.

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

    def curve(p, target, weights):
        index = np.searchsorted(edges[1:-1], p, side="left")
        mass = np.bincount(index, weights, num_bins)
        hits = np.bincount(index, weights * target, num_bins)
        middle = (edges[:-1] + edges[1:]) / 2
        return edges[1:], np.divide(hits, mass, out=middle.astype(np.float64), where=mass > 0)

    return _fit(
        "step",
        curve,
        num_bins,
        y_true,
        y_pred,
        from_logits=from_logits,
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
    )


def _fit(
    kind: Literal["linear", "step"], curve: FitCurve, num_bins: int, y_true, y_pred, **reading
) -> ClasswiseFit:
    check_num_bins(num_bins)
    examples = read_host_examples(y_true, y_pred, **reading)
    check_any_counts(examples)
    p = np.exp(tempered_log_probabilities(_rows(examples.logits, examples))).astype(np.float32)
    num_classes = p.shape[1]
    classes = [1] if num_classes == 2 else range(num_classes)
    knots = [
        curve(np.ascontiguousarray(p[:, k]), _target(examples, k), examples.weights)
        for k in classes
    ]
    if num_classes == 2:
        knots.insert(0, _mirrored(kind, *knots[0]))
    before = score(examples, tempered_log_probabilities, num_bins)
    unscored = ClasswiseFit(
        kind=kind,
        x=tuple(x.astype(np.float32) for x, _ in knots),
        y=tuple(y.astype(np.float32) for _, y in knots),
        mixing=1 / (len(examples) + 1),
        nll_before=before.nll,
        nll_after=float("nan"),
        ece_before=before.ece,
        ece_after=float("nan"),
        num_examples=len(examples),
    )
    return unscored.scored(examples, num_bins)


def _rows(array: np.ndarray, examples: HostExamples) -> np.ndarray:
    return read_rows(array, examples.rows, slice(None)).astype(np.float64)


def _target(examples: HostExamples, k: int) -> np.ndarray:
    """Returns each example's probability of class k, float64 `(n,)`."""
    if examples.labels is not None:
        return (examples.labels == k).astype(np.float64)
    y = read_rows(examples.dense, examples.rows, slice(None))  # type: ignore[arg-type]
    mass = np.asarray(examples.mass)
    return np.divide(y[:, k], mass, out=np.zeros(len(y)), where=mass > 0)


def _mirrored(kind: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the knots of 1 − f(1 − p)."""
    if kind == "step":  # each knot is the upper edge of its bin
        return x, 1 - y[::-1]
    return 1 - x[::-1], 1 - y[::-1]

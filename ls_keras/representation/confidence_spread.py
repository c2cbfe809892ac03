"""How much the confidence in the true class varies within each class."""

from dataclasses import dataclass

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_tensor
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_flag
from ls_keras.representation.class_moments import ClassMoments, read_class_values


@dataclass(frozen=True, eq=False, repr=False)
class ConfidenceSpread(BriefRepr):
    """Statistics of the probability of the true class; arrays `(K,)`, NaN without examples.

    Attributes:
        counts: Number of examples.
        mean: Mean of p_y.
        deviation: Standard deviation of p_y, which distinguishes the examples of a class.
    """

    counts: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def from_moments(cls, moments: ClassMoments) -> "ConfidenceSpread":
        """Returns the statistics of accumulated probabilities `(n, 1)` of the true classes."""
        moments.check_not_empty()
        mean = np.where(moments.counts > 0, moments.means[:, 0], np.nan)
        return cls(moments.counts.copy(), mean, moments.deviations())

    def within(self) -> float:
        """Returns the root mean square deviation within classes, over all examples."""
        some = self.counts > 0
        return float(np.sqrt(self.counts[some] @ self.deviation[some] ** 2 / self.counts.sum()))


def confidence_spread(
    y_true, y_pred, *, from_logits: bool = False, mask=None, ignore_class: IgnoreClass = None
) -> ConfidenceSpread:
    """Measures the spread of the true class's probability within each class.

    With hard targets, examples of one class differ in p_y: some are typical, others resemble other
    classes. Label smoothing has the same target p_y = 1 − α + α/K for all of them, so this
    information is lost.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`.
        y_pred: Probabilities or logits `(..., K)`.
        from_logits: Whether `y_pred` are logits. Default: `False`.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Raises:
        InputError: If no example counts, or the arguments do not match.

    Example:
    >>> from ls_keras.representation import confidence_spread
    >>> found = confidence_spread([0, 0, 1], [[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    >>> found.mean, found.deviation
    (array([0.5, 0.5]), array([0.25, 0.  ]))
    """
    as_flag(from_logits, "from_logits")
    y_pred = as_tensor(y_pred, "y_pred")
    num_classes = y_pred.shape[-1] if len(y_pred.shape) else 0
    labels, values = read_class_values(
        y_true, y_pred, num_classes, mask=mask, ignore_class=ignore_class
    )
    moments = ClassMoments(num_classes, 1)
    moments.add(labels, true_probabilities(labels, values, from_logits=from_logits)[:, None])
    return ConfidenceSpread.from_moments(moments)


def true_probabilities(
    labels: np.ndarray, values: np.ndarray, *, from_logits: bool = False
) -> np.ndarray:
    """Returns the probability of each label, float64 `(n,)`.

    Args:
        labels: Integers `(n,)`.
        values: Logits or probabilities `(n, K)`.
        from_logits: Whether `values` are logits. Default: `False`.

    Raises:
        InputError: If probabilities are not in [0, 1].
    """
    own = values[np.arange(len(labels)), labels].astype(np.float64)
    if from_logits:
        top = values.max(axis=1, keepdims=True)
        return np.exp(own - top[:, 0]) / np.exp(values - top).sum(axis=1, dtype=np.float64)
    wrong = (own < 0) | (own > 1 + 1e-5)
    if wrong.any():
        raise InputError(
            f"Expected probabilities in [0, 1], or from_logits=True. Received: {own[wrong][0]}"
        )
    return own

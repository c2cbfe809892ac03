"""How much the examples of a class differ in how sure the network is of them."""

from dataclasses import dataclass

import numpy as np

from ls_base.errors import InputError
from ls_base.short_repr import Fields
from ls_keras.backend.tensors import as_tensor
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_flag
from ls_keras.representation.class_moments import ClassMoments
from ls_keras.representation.host_labels import read_host_labels


@dataclass(frozen=True, eq=False, repr=False)
class ConfidenceSpread(Fields):
    """The probability of the true class within each class; arrays `(K,)`, NaN without examples.

    Attributes:
        counts: Examples.
        mean: Mean of p_y.
        deviation: Standard deviation of p_y: what tells one example of a class from another.
    """

    counts: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of_moments(cls, moments: ClassMoments) -> "ConfidenceSpread":
        """Reads what was accumulated of the true classes' probabilities `(n, 1)`."""
        if not moments.counts.sum():
            raise InputError("Expected at least one example that counts. Received: none")
        mean = np.where(moments.counts > 0, moments.means[:, 0], np.nan)
        return cls(moments.counts.copy(), mean, moments.deviations())

    def within(self) -> float:
        """Returns the root mean square deviation within the classes, over all examples."""
        some = self.counts > 0
        return float(np.sqrt(self.counts[some] @ self.deviation[some] ** 2 / self.counts.sum()))


def confidence_spread(
    y_true, y_pred, *, from_logits: bool = False, mask=None, ignore_class: IgnoreClass = None
) -> ConfidenceSpread:
    """Measures the spread of the true class's probability within each class.

    With hard targets, examples of one class differ in p_y: some are typical, some resemble
    others. Label smoothing asks for the same p_y = 1 − α + α/K from all of them, and what told
    them apart is lost.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`.
        y_pred: Probabilities, or logits, `(..., K)`.
        from_logits: Whether `y_pred` are logits.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Raises:
        InputError: If no example counts, or the arguments don't belong together.

    Example:
    >>> from ls_keras.representation import confidence_spread
    >>> found = confidence_spread([0, 0, 1], [[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    >>> found.mean, found.deviation
    (array([0.5, 0.5]), array([0.25, 0.  ]))
    """
    as_flag(from_logits, "from_logits")
    y_pred = as_tensor(y_pred, "y_pred")
    num_classes = y_pred.shape[-1] if len(y_pred.shape) else 0
    labels, values = read_host_labels(
        y_true, y_pred, num_classes, mask=mask, ignore_class=ignore_class
    )
    moments = ClassMoments(num_classes, 1)
    moments.add(labels, true_probabilities(labels, values, from_logits=from_logits)[:, None])
    return ConfidenceSpread.of_moments(moments)


def true_probabilities(
    labels: np.ndarray, values: np.ndarray, *, from_logits: bool = False
) -> np.ndarray:
    """Returns the probability of each label, float64 `(n,)`, of logits or probabilities `(n, K)`.

    Raises:
        InputError: If what should be probabilities is not in [0, 1].
    """
    own = values[np.arange(len(labels)), labels].astype(np.float64)
    if not from_logits:
        wrong = (own < 0) | (own > 1 + 1e-5)
        if wrong.any():
            raise InputError(
                f"Expected probabilities in [0, 1], or from_logits=True. Received: {own[wrong][0]}"
            )
        return own
    top = values.max(axis=1, keepdims=True)
    return np.exp(own - top[:, 0]) / np.exp(values - top).sum(axis=1, dtype=np.float64)

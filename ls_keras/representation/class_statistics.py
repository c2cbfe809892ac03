"""Statistics of each class over batches: moments, spread of confidence, mean logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from ls_base.brief_repr import BriefRepr
from ls_keras.backend.tensors import as_array, as_tensor, mask_of
from ls_keras.errors import InputError, shown
from ls_keras.inputs.targets import IgnoreClass, read_targets
from ls_keras.inputs.validation import as_count, as_counts, as_flag
from ls_keras.representation.template_distances import MAX_FEATURE, check_classes


class ClassMoments:
    """Accumulates the count, mean and summed squared deviation of each class.

    Batches are merged with Chan's formula in float64: the result does not depend on how the data
    are split into batches, and a mean that is large against the scatter costs no precision.

    Args:
        num_classes: K.
        num_features: F. Memory is 8·K·F bytes.

    Raises:
        InputError: If the memory does not suffice.

    Attributes:
        counts: int64 `(K,)`.
        means: float64 `(K, F)`; 0 for classes without examples.
        scatter: float64 `(K,)`: Σ_i ‖v_i − mean‖² over the vectors of the class.

    Example:
    >>> import numpy as np
    >>> from ls_keras.representation.class_statistics import ClassMoments
    >>> moments = ClassMoments(2, 1)
    >>> moments.add(np.array([0, 0, 1]), np.array([[1.0], [3.0], [7.0]]))
    >>> moments.means[:, 0], moments.deviations()
    (array([2., 7.]), array([1., 0.]))
    """

    def __init__(self, num_classes: int, num_features: int):
        self.counts = np.zeros(num_classes, np.int64)
        try:
            self.means = np.zeros((num_classes, num_features))
        except MemoryError as error:
            raise InputError(
                f"Expected fewer classes or features: means of {num_classes:,} classes x "
                f"{num_features:,} features take {8 * num_classes * num_features / 2**30:,.0f} "
                f"GiB. Received: {error}"
            ) from error
        self.scatter = np.zeros(num_classes)

    def add(self, labels: np.ndarray, values: np.ndarray) -> None:
        """Adds vectors `(n, F)` with the class labels `(n,)`."""
        if not len(labels):
            return
        order = np.argsort(labels, kind="stable")
        values = np.asarray(values, np.float64)[order]
        classes, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
        means = np.add.reduceat(values, starts, axis=0) / counts[:, None]
        deviations = np.sum((values - np.repeat(means, counts, axis=0)) ** 2, axis=1)
        before = self.counts[classes]
        share = counts / (before + counts)
        step = means - self.means[classes]
        self.scatter[classes] += np.add.reduceat(deviations, starts)
        self.scatter[classes] += before * share * np.sum(step**2, axis=1)
        self.means[classes] += share[:, None] * step
        self.counts[classes] += counts

    def deviations(self) -> np.ndarray:
        """Returns the root mean square distance to the class mean, `(K,)`; NaN without examples."""
        return np.sqrt(divide(self.scatter, self.counts))

    def check_not_empty(self) -> None:
        """Raises an `InputError` if no example was added."""
        if not self.counts.sum():
            raise InputError("Expected at least one example that counts. Received: none")


def divide(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns `sums / counts`, NaN where a count is 0."""
    return np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)


def read_class_values(
    y_true, values, num_classes: int, *, mask=None, ignore_class: IgnoreClass = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels `(n,)` and values `(n, F)` of the positions that count.

    Args:
        y_true: Integers `(...)` or `(..., 1)`.
        values: Tensor `(..., F)`.
        num_classes: K.
        mask: Boolean, of the shape of the labels, false where a position does not count. Default:
            the Keras mask of `values`, if any.
        ignore_class: A label id, or several, that do not count.

    Raises:
        InputError: If labels are not integers in range, shapes do not match, or values that count
            are NaN or infinite.
    """
    mask = mask_of(values) if mask is None else mask
    values = as_array(values, "values")
    num_classes = as_count(num_classes, "num_classes", 2)
    if not values.ndim:
        raise InputError("Expected values of shape (..., F). Received: a scalar")
    shape = values.shape[:-1]
    # read_targets only needs the shape, with K classes in place of F features.
    classes = keras.KerasTensor((*shape, num_classes), "float32")
    targets = read_targets(y_true, classes, ignore_class=ignore_class)
    if targets.labels is None:
        raise InputError(
            f"Expected integer labels of shape {shape}. "
            f"Received: dense targets of shape {tuple(targets.dense.shape)}"
        )
    labels = np.asarray(ops.convert_to_numpy(targets.labels)).ravel()
    values = values.reshape(len(labels), values.shape[-1])
    counts = np.ones(len(labels), bool)
    if targets.valid is not None:
        counts &= np.asarray(ops.convert_to_numpy(targets.valid)).ravel().astype(bool)
    if mask is not None:
        mask = as_array(mask, "mask")
        if mask.size != labels.size:
            raise InputError(f"Expected a mask of shape {shape}. Received: shape {mask.shape}")
        counts &= mask.ravel().astype(bool)
    labels, values = labels[counts], values[counts]
    if not (np.abs(values) < MAX_FEATURE).all():
        raise InputError(
            f"Expected finite values below {MAX_FEATURE:g}. "
            "Received: larger ones, NaN or infinity among them"
        )
    return labels, values


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


@dataclass(frozen=True, eq=False, repr=False)
class MeanLogits(BriefRepr):
    """The mean logits of each class.

    Attributes:
        classes: The C classes of the rows and columns.
        matrix: float64 `(C, C)`: row i is the mean over the examples of class i, after the mean
            over all K classes was subtracted from the logits of each example. NaN without examples.
        counts: int64 `(C,)`: number of examples of each class.
    """

    classes: tuple[int, ...]
    matrix: np.ndarray
    counts: np.ndarray

    @classmethod
    def from_moments(cls, moments: ClassMoments, classes: Sequence[int]) -> "MeanLogits":
        """Returns the means of accumulated centered logits `(n, C)` of `classes`."""
        rows = np.asarray(classes, int)
        counts = moments.counts[rows]
        matrix = np.where(counts[:, None] > 0, moments.means[rows], np.nan)
        return cls(tuple(int(c) for c in classes), matrix, counts)

    def structure(self) -> float:
        """Returns how much similarity structure there is; 0 if all other classes look alike.

        This is the standard deviation of the off-diagonal entries of a row, averaged over the rows.
        """
        size = len(self.classes)
        other = self.matrix[~np.eye(size, dtype=bool)].reshape(size, size - 1)
        rows = other[self.counts > 0]
        return float(rows.std(axis=1).mean()) if len(rows) else float("nan")


def mean_logits(
    y_true,
    logits,
    *,
    classes: Sequence[int] | None = None,
    mask=None,
    ignore_class: IgnoreClass = None,
) -> MeanLogits:
    """Averages the logits of each class's examples: the similarity structure between classes.

    Entry (i, k) measures how much the examples of class i resemble class k. Adding a number to all
    logits of an example changes no probability, so the mean logit of each example is subtracted.
    With label smoothing, the off-diagonal entries become similar.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`.
        logits: Unnormalized log-probabilities `(..., K)`.
        classes: The classes to return, at least two. Default: all K.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Raises:
        InputError: If classes are unknown or repeated, or the arguments do not match.

    Example:
    >>> from ls_keras.representation import mean_logits
    >>> mean_logits([0, 0, 1], [[4.0, 1.0, 1.0], [2.0, 1.0, 0.0], [0.0, 3.0, 0.0]]).matrix
    array([[ 1.5, -0.5, -1. ],
           [-1. ,  2. , -1. ],
           [ nan,  nan,  nan]])
    """
    logits = as_tensor(logits, "logits")
    num_classes = logits.shape[-1] if len(logits.shape) else 0
    columns = list(as_counts(range(num_classes) if classes is None else classes, "classes"))
    if len(columns) < 2:
        raise InputError(f"Expected at least two classes. Received: {shown(columns)}")
    check_classes(columns, num_classes)
    labels, values = read_class_values(
        y_true, logits, num_classes, mask=mask, ignore_class=ignore_class
    )
    moments = ClassMoments(num_classes, len(columns))
    moments.add(labels, center_logits(values, columns))
    return MeanLogits.from_moments(moments, columns)


def center_logits(logits: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Subtracts the mean over all classes from logits `(n, K)` and returns `classes`: `(n, C)`."""
    return logits[:, list(classes)] - logits.mean(axis=1, keepdims=True, dtype=np.float64)

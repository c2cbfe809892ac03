"""The mean logits of each class, which show the classes that a network considers similar."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.backend.tensors import as_tensor
from ls_keras.errors import InputError, shown
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_counts
from ls_keras.representation.class_moments import ClassMoments, read_class_values
from ls_keras.representation.template_distances import check_classes


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

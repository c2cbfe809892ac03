"""Which classes a network takes for similar: the mean logits of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ls_base.errors import InputError
from ls_base.short_repr import Fields
from ls_keras.backend.tensors import as_tensor
from ls_keras.errors import shown
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_counts
from ls_keras.representation.class_moments import ClassMoments
from ls_keras.representation.host_labels import read_host_labels
from ls_keras.representation.template_distances import check_classes


@dataclass(frozen=True, eq=False, repr=False)
class MeanLogits(Fields):
    """The mean logits of each class.

    Attributes:
        classes: The C classes, of the rows and of the columns.
        matrix: float64 `(C, C)`: row i is the mean over the examples of class i; each example's
            logits had their mean over all K classes subtracted. NaN without examples.
        counts: int64 `(C,)`: examples of each class.
    """

    classes: tuple[int, ...]
    matrix: np.ndarray
    counts: np.ndarray

    @classmethod
    def of_moments(cls, moments: ClassMoments, classes: Sequence[int]) -> "MeanLogits":
        """Reads what was accumulated of the classes' centered logits `(n, C)`."""
        rows = np.asarray(classes, int)
        counts = moments.counts[rows]
        matrix = np.where(counts[:, None] > 0, moments.means[rows], np.nan)
        return cls(tuple(int(c) for c in classes), matrix, counts)

    def structure(self) -> float:
        """Returns how much similarity between classes is left: 0 if all others look alike.

        The standard deviation of a row's entries off the diagonal, averaged over the rows.
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

    Entry (i, k) says how much an example of class i looks like class k. One number added to all
    logits of an example changes no probability, so each example's mean logit is subtracted. With
    label smoothing the entries off the diagonal become alike.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`.
        logits: Unnormalized log-probabilities `(..., K)`.
        classes: The classes to return, at least two. Default: all K.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Raises:
        InputError: If classes are unknown or repeated, or the arguments don't belong together.

    Example:
    >>> from ls_keras.representation import mean_logits
    >>> mean_logits([0, 0, 1], [[4.0, 1.0, 1.0], [2.0, 1.0, 0.0], [0.0, 3.0, 0.0]]).matrix
    array([[ 1.5, -0.5, -1. ],
           [-1. ,  2. , -1. ],
           [ nan,  nan,  nan]])
    """
    logits = as_tensor(logits, "logits")
    num_classes = logits.shape[-1] if len(logits.shape) else 0
    chosen = check_rows(range(num_classes) if classes is None else classes, num_classes)
    labels, values = read_host_labels(
        y_true, logits, num_classes, mask=mask, ignore_class=ignore_class
    )
    moments = ClassMoments(num_classes, len(chosen))
    moments.add(labels, centered(values, chosen))
    return MeanLogits.of_moments(moments, chosen)


def check_rows(classes: Sequence[int], num_classes: int) -> list[int]:
    """Returns the classes as a list.

    Raises:
        InputError: If there are fewer than two, or one is unknown or repeated.
    """
    chosen = list(as_counts(classes, "classes"))
    if len(chosen) < 2:
        raise InputError(f"Expected at least two classes. Received: {shown(chosen)}")
    check_classes(chosen, num_classes)
    return chosen


def centered(logits: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Returns logits `(n, K)` less their mean over the classes, of `classes` only: `(n, C)`."""
    return logits[:, list(classes)] - logits.mean(axis=1, keepdims=True, dtype=np.float64)

"""Counts, means and scatter of the vectors of each class, accumulated over batches."""

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array, mask_of
from ls_keras.inputs.targets import IgnoreClass, read_targets
from ls_keras.inputs.validation import as_count
from ls_keras.representation.template_distances import MAX_FEATURE


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
    >>> from ls_keras.representation.class_moments import ClassMoments
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
    # read_targets only needs the shape, with K classes in place of F features.
    classes = keras.KerasTensor((*values.shape[:-1], num_classes), "float32")
    targets = read_targets(y_true, classes, ignore_class=ignore_class)
    if targets.labels is None:
        raise InputError(
            f"Expected integer labels of shape {values.shape[:-1]}. "
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
            raise InputError(
                f"Expected a mask of shape {tuple(classes.shape[:-1])}. "
                f"Received: mask of shape {mask.shape}"
            )
        counts &= mask.ravel().astype(bool)
    labels, values = labels[counts], values[counts]
    if not (np.abs(values) < MAX_FEATURE).all():
        raise InputError(
            f"Expected finite values below {MAX_FEATURE:g}. "
            "Received: larger ones, NaN or infinity among them"
        )
    return labels, values

"""Mean and scatter of each class's vectors, from batches."""

import numpy as np


class ClassMoments:
    """Counts, means and summed squared deviations by class, updated batch by batch.

    Batches are merged by Chan's formula in float64, so the result does not depend on how the data
    are cut, and nothing is lost where the mean is large against the scatter.

    Args:
        num_classes: K.
        num_features: F. Memory is 8·K·F bytes.

    Attributes:
        counts: int64 `(K,)`.
        means: float64 `(K, F)`; 0 for classes without examples.
        scatter: float64 `(K,)`: Σ_i ‖v_i − mean‖² over the class's vectors.

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
        self.means = np.zeros((num_classes, num_features))
        self.scatter = np.zeros(num_classes)

    def add(self, labels: np.ndarray, values: np.ndarray) -> None:
        """Adds vectors `(n, F)` of the classes `labels` `(n,)`."""
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


def divide(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns `sums / counts`, NaN where a count is 0."""
    return np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)

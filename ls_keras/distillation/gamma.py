"""How much smoothing a teacher's predictions amount to: the horizontal axis of Figure 5.

NumPy on the host, as for temperature fits: it ends in a few floats, and needs float64, since a
confident teacher leaves less than 1e-7 off the target.
"""

from collections.abc import Sequence

import numpy as np

from ls_base.errors import InputError
from ls_keras.calibration.model_logits import predicted_batches
from ls_keras.calibration.tempered_sums import to_host
from ls_keras.distillation.loss import check_temperature
from ls_keras.targets import IgnoreClass, position_weights, read_targets

_BLOCK = 1 << 18  # elements: two blocks of float64 are 4 MiB


def equivalent_smoothing(
    y_true,
    teacher_logits,
    temperature: float | Sequence[float] = 1.0,
    *,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
):
    """Computes the γ of a teacher: the α of label smoothing with as much mass off the target.

    γ(T) = K/(K − 1) · mean over examples of Σ_k (1 − y_k) p^t_k(T),  p^t(T) = softmax(z^t / T)

    For p^t = y^LS of uniform smoothing it is α.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)` that sum to 1.
        teacher_logits: `(..., K)`, or log-probabilities; classes may have −inf.
        temperature: T > 0, or several. Default: 1.
        sample_weight: `(...)`, or of its leading axes. Default: all the same.
        mask: Boolean `(...)`. Default: all count.
        ignore_class: A label id, or several, whose positions do not count. Default: `None`.

    Returns:
        A float, or a float64 array for several temperatures.

    Raises:
        InputError: If a temperature is not above 0, if the shapes don't belong together, if logits
            that count hold NaN or +inf, or if no position counts.

    Example:
    ```python
    >>> import numpy as np
    >>> import ls_keras
    >>> smoothed = ls_keras.smooth_labels([0, 2], alpha=0.3, num_classes=3)
    >>> round(ls_keras.equivalent_smoothing([0, 2], np.log(smoothed)), 6)
    0.3
    >>> ls_keras.equivalent_smoothing([0], [[4.0, 0.0]], temperature=[1, 4]).round(3)
    array([0.036, 0.538])

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 4.
    """
    total = EquivalentSmoothing(temperature, ignore_class=ignore_class)
    total.update(y_true, teacher_logits, sample_weight=sample_weight, mask=mask)
    return total.result()


def equivalent_smoothing_dataset(
    teacher,
    dataset,
    temperature: float | Sequence[float] = 1.0,
    *,
    ignore_class: IgnoreClass = None,
):
    """Computes `equivalent_smoothing` over a data set, holding one batch of logits at a time.

    Args:
        teacher: A `keras.Model` that emits logits, or a function `x → logits`. Runs in inference
            mode.
        dataset: Batches `(x, y)` or `(x, y, sample_weight)`: a `tf.data.Dataset`, a `PyDataset`,
            or an iterable.
        temperature: T > 0, or several. Default: 1.
        ignore_class: See `equivalent_smoothing`.

    Returns:
        A float, or a float64 array for several temperatures.

    Raises:
        InputError: See `equivalent_smoothing`; if the data set is endless or has no targets.

    Example:
    ```python
    >>> import numpy as np
    >>> import ls_keras
    >>> batches = [(np.array([[4.0, 0.0]]), [0]), (np.array([[0.0, 4.0]]), [1])]
    >>> round(ls_keras.distillation.equivalent_smoothing_dataset(lambda x: x, batches), 4)
    0.036

    ```
    """
    total = EquivalentSmoothing(temperature, ignore_class=ignore_class)
    for y, logits, sample_weight, mask in predicted_batches(teacher, dataset):
        total.update(y, logits, sample_weight=sample_weight, mask=mask)
    return total.result()


class EquivalentSmoothing:
    """Sums up `equivalent_smoothing` batch by batch.

    Args:
        temperature: T > 0, or several. Default: 1.
        ignore_class: See `equivalent_smoothing`.

    Example:
    ```python
    >>> from ls_keras.distillation import EquivalentSmoothing
    >>> gamma = EquivalentSmoothing()
    >>> gamma.update([0], [[4.0, 0.0]])
    >>> gamma.update([1], [[4.0, 0.0]])
    >>> gamma.result()
    1.0

    ```
    """

    def __init__(
        self, temperature: float | Sequence[float] = 1.0, *, ignore_class: IgnoreClass = None
    ):
        self.several = np.ndim(temperature) > 0
        values = list(np.asarray(temperature).ravel().tolist()) if self.several else [temperature]
        if not values:
            raise InputError("Expected at least one temperature. Received: none")
        self.temperatures = [check_temperature(value, "temperature") for value in values]
        self.ignore_class = ignore_class
        self._sum = np.zeros(len(values))
        self._weight = 0.0

    def update(self, y_true, teacher_logits, *, sample_weight=None, mask=None) -> None:
        """Adds a batch; the arguments are those of `equivalent_smoothing`."""
        logits = to_host(teacher_logits)
        targets = read_targets(y_true, logits, ignore_class=self.ignore_class)
        weights = position_weights(
            np.ones(logits.shape[:-1], np.float32),
            valid=targets.valid,
            mask=mask,
            sample_weight=sample_weight,
        )
        num_classes = logits.shape[-1]
        logits = logits.reshape(-1, num_classes)
        y = to_host(targets.dense if targets.labels is None else targets.labels)
        y = y.reshape(logits.shape if targets.labels is None else -1)
        w = np.ones(len(logits)) if weights is None else to_host(weights).reshape(-1)
        rows = np.flatnonzero(w)
        self._weight += float(w[rows].astype(np.float64).sum())
        size = max(1, _BLOCK // num_classes)
        for start in range(0, len(rows), size):
            at = rows[start : start + size]
            off_target = self._off_target(y[at], logits[at].astype(np.float64))  # B × rows
            self._sum += off_target @ w[at].astype(np.float64) * num_classes / (num_classes - 1)

    def result(self):
        """Returns γ: a float, or a float64 array for several temperatures.

        Raises:
            InputError: If no position counted.
        """
        if not self._weight:
            raise InputError("Expected at least one position that counts. Received: none")
        gamma = self._sum / self._weight
        return gamma if self.several else float(gamma[0])

    def _off_target(self, y: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Returns Σ_k (1 − y_k) p_k(T), temperatures × rows."""
        top = logits.max(-1, keepdims=True)
        if not np.isfinite(top).all():
            raise InputError(
                "Expected logits without NaN or +inf, and a finite one in every example. "
                f"Received: a largest logit of {top[~np.isfinite(top)][0]}"
            )
        d = logits - top
        found = []
        for temperature in self.temperatures:
            e = np.exp(d / temperature)
            total = e.sum(-1)
            if y.ndim == 1:  # summed without the target: 1 − p_y would cancel
                e[np.arange(len(y)), y] = 0
            else:
                e *= 1 - y
            found.append(e.sum(-1) / total)
        return np.array(found)

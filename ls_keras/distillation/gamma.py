"""The equivalent smoothing γ of a teacher's predictions: the horizontal axis of Figure 5.

Computed with NumPy in float64, because a confident teacher has less than 1e-7 off the target.
"""

from collections.abc import Sequence

import numpy as np

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.scaling.model_logits import predicted_batches
from ls_keras.distillation.loss import check_temperature
from ls_keras.inputs.batches import as_batches
from ls_keras.inputs.model_forward import Forward
from ls_keras.inputs.model_outputs import Output
from ls_keras.inputs.numpy_examples import blocks, read_host_examples, read_rows
from ls_keras.inputs.targets import IgnoreClass, ignored_ids
from ls_keras.inputs.validation import as_flag


def equivalent_smoothing(
    y_true,
    y_pred,
    temperature: float | Sequence[float] = 1.0,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
):
    """Computes the γ of a teacher: the α of label smoothing with the same mass off the target.

    γ(T) = K/(K − 1) · mean over examples of Σ_k (1 − y_k) p^t_k(T),  p^t(T) = softmax(z^t / T)

    For targets p^t = y^LS of uniform smoothing, γ = α.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)` that sum to 1.
        y_pred: The teacher's predictions `(..., K)`: probabilities, whose logarithms are then z^t,
            or logits, −inf allowed.
        temperature: T > 0, or several. Default: 1.
        from_logits: Whether `y_pred` are logits or log-probabilities. Default: `False`, as in
            Keras.
        sample_weight: Weights `(...)`, or of its leading axes. Default: equal weights.
        mask: Boolean `(...)`, false where a position does not count. Default: all count.
        ignore_class: A label id, or several, whose positions do not count. Default: `None`.

    Returns:
        A float, or a float64 array for several temperatures.

    Raises:
        InputError: If a temperature is not above 0, shapes do not match, logits that count are NaN
            or +inf, probabilities are invalid, or no position counts.

    Example:
    ```python
    >>> import ls_keras
    >>> smoothed = ls_keras.smooth_labels([0, 2], alpha=0.3, num_classes=3)
    >>> round(ls_keras.equivalent_smoothing([0, 2], smoothed), 6)
    0.3
    >>> ls_keras.equivalent_smoothing([0], [[4.0, 0.0]], [1, 4], from_logits=True).round(3)
    array([0.036, 0.538])

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 4.
    """
    total = EquivalentSmoothing(temperature, from_logits=from_logits, ignore_class=ignore_class)
    total.update(y_true, y_pred, sample_weight=sample_weight, mask=mask)
    return total.result()


def equivalent_smoothing_dataset(
    teacher,
    dataset,
    temperature: float | Sequence[float] = 1.0,
    *,
    from_logits: bool = False,
    output: Output = None,
    ignore_class: IgnoreClass = None,
    batch_size: int = 32,
):
    """Computes `equivalent_smoothing` of a dataset, with one batch of logits in memory at a time.

    Args:
        teacher: A `keras.Model`, run in inference mode, or a function of x.
        dataset: `(x, y)` or `(x, y, sample_weight)` arrays, or batches of them: a
            `tf.data.Dataset`, a `PyDataset`, a `DataLoader` of PyTorch, or an iterable.
        temperature: T > 0, or several. Default: 1.
        from_logits: Whether the teacher returns logits. Default: `False`, as in Keras.
        output: For models with several outputs, which one to use: its name, its key or its index.
            Labels and weights may be given for each output, or for this one alone.
        ignore_class: See `equivalent_smoothing`.
        batch_size: Batch size for arrays. Default: 32.

    Returns:
        A float, or a float64 array for several temperatures.

    Raises:
        InputError: See `equivalent_smoothing`; also if the dataset is infinite or has no targets.

    Example:
    ```python
    >>> import numpy as np
    >>> import ls_keras
    >>> batches = [(np.array([[4.0, 0.0]]), [0]), (np.array([[0.0, 4.0]]), [1])]
    >>> found = ls_keras.distillation.equivalent_smoothing_dataset(
    ...     lambda x: x, batches, from_logits=True
    ... )
    >>> round(found, 4)
    0.036

    ```
    """
    total = EquivalentSmoothing(temperature, from_logits=from_logits, ignore_class=ignore_class)
    data = as_batches(dataset, "dataset", batch_size=batch_size, again=None)
    for y, y_pred, sample_weight, mask in predicted_batches(
        Forward(teacher, output), data, from_logits=from_logits
    ):
        total.update(y, y_pred, sample_weight=sample_weight, mask=mask)
    return total.result()


class EquivalentSmoothing:
    """Accumulates `equivalent_smoothing` over batches.

    Args:
        temperature: T > 0, or several. Default: 1.
        from_logits: Whether predictions are logits. Default: `False`, as in Keras.
        ignore_class: See `equivalent_smoothing`.

    Example:
    ```python
    >>> from ls_keras.distillation import EquivalentSmoothing
    >>> gamma = EquivalentSmoothing(from_logits=True)
    >>> gamma.update([0], [[4.0, 0.0]])
    >>> gamma.update([1], [[4.0, 0.0]])
    >>> gamma.result()
    1.0

    ```
    """

    def __init__(
        self,
        temperature: float | Sequence[float] = 1.0,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
    ):
        values = as_array(temperature, "temperature")
        self.several = values.ndim > 0
        if not values.size:
            raise InputError("Expected at least one temperature. Received: none")
        self.temperatures = [check_temperature(v, "temperature") for v in values.ravel().tolist()]
        self.from_logits = as_flag(from_logits, "from_logits")
        ignored_ids(ignore_class)
        self.ignore_class = ignore_class
        self._sum = np.zeros(len(self.temperatures))
        self._weight = 0.0

    def __repr__(self) -> str:
        return brief_repr(
            self,
            temperature=tuple(self.temperatures),
            from_logits=self.from_logits,
            ignore_class=self.ignore_class,
            weight=self._weight,
        )

    def update(self, y_true, y_pred, *, sample_weight=None, mask=None) -> None:
        """Adds a batch; see `equivalent_smoothing` for the arguments."""
        examples = read_host_examples(
            y_true,
            y_pred,
            from_logits=self.from_logits,
            sample_weight=sample_weight,
            mask=mask,
            ignore_class=self.ignore_class,
            label_may_be_forbidden=True,
        )
        num_classes = examples.logits.shape[1]
        self._weight += float(examples.weights.sum())
        for at in blocks(0, len(examples), num_classes):
            logits = read_rows(examples.logits, examples.rows, at).astype(np.float64)
            if examples.labels is not None:
                y = examples.labels[at]
            else:
                y = read_rows(examples.dense, examples.rows, at)
            off_target = self._off_target(y, logits)  # B × rows
            self._sum += off_target @ examples.weights[at] * num_classes / (num_classes - 1)

    def result(self):
        """Returns γ: a float, or a float64 array for several temperatures.

        Raises:
            InputError: If no position counts.
        """
        if not self._weight:
            raise InputError("Expected at least one position that counts. Received: none")
        gamma = self._sum / self._weight
        return gamma if self.several else float(gamma[0])

    def _off_target(self, y: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Returns Σ_k (1 − y_k) p_k(T), temperatures × rows."""
        d = logits - logits.max(-1, keepdims=True)
        found = []
        for temperature in self.temperatures:
            e = np.exp(d / temperature)
            total = e.sum(-1)
            if y.ndim == 1:  # without the target, because 1 − p_y would lose precision
                e[np.arange(len(y)), y] = 0
            else:
                e *= 1 - y
            found.append(e.sum(-1) / total)
        return np.array(found)

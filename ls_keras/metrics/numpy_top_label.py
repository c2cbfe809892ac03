"""Predicted class and confidence of each example with NumPy, for arrays in host memory.

Eagerly, every backend operation is a pass over examples × classes. NumPy on cache-sized blocks and
all cores reads predictions once and never copies them: 3 to 20 times faster. In graphs and on
accelerators, `ls_keras.inputs.probabilities` does the same with backend operations.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.backend.tensors import mask_of, tensor_of, to_numpy_or_none
from ls_keras.inputs.numpy_examples import in_threads, look_at_logits, to_host
from ls_keras.inputs.probabilities import SUM_TOLERANCE
from ls_keras.inputs.targets import IgnoreClass, Targets, read_targets
from ls_keras.inputs.weights import position_weights

# Elements: 4 MiB of float32 stay in the last cache, and keep a thread busy for longer than it
# takes to hand over the interpreter lock.
_BLOCK = 1 << 20
_CHUNK = 1 << 22  # elements: what one thread takes at a time


class TopLabels(NamedTuple):
    """Top-label confidence and correctness of each example: NumPy arrays `(...)`.

    Attributes:
        confidence: float32, the largest probability; never NaN.
        correct: Boolean.
        weights: float32, 0 at masked and ignored positions; `None` if every position weighs 1.
    """

    confidence: np.ndarray
    correct: np.ndarray
    weights: np.ndarray | None


def read_top_labels(
    y_true,
    y_pred,
    *,
    sample_weight=None,
    from_logits: bool = False,
    ignore_class: IgnoreClass = None,
) -> TopLabels | None:
    """Reads and checks a batch with NumPy; takes the arguments of `read_examples`.

    Returns:
        `None` if the backend must do it: in graphs, on accelerators, in half precision, and for
        wrong values, which `read_examples` refuses unless they are at positions that do not count.

    Raises:
        InputError: If the shapes do not fit, or a label is out of range.
    """
    mask = mask_of(y_pred)
    array = host_view(y_pred)
    top = None if array is None else top_label_of_array(array, from_logits=from_logits)
    if array is None or top is None:
        return None
    predicted, confidence = top
    targets = read_targets(y_true, array, ignore_class=ignore_class)
    weights = position_weights(
        confidence, valid=targets.valid, mask=mask, sample_weight=sample_weight
    )
    weights = None if weights is None else to_host(weights)
    if from_logits:
        rows = None if weights is None else np.flatnonzero(weights)
        look_at_logits(array.reshape(-1, array.shape[-1]), rows)
    return TopLabels(confidence, predicted == _class_labels(targets), weights)


def host_view(value) -> np.ndarray | None:
    """Returns a float32 or float64 array that shares its memory with `value`.

    Returns `None` for tensors that are being traced or on an accelerator, and for other dtypes.
    """
    if isinstance(value, np.ndarray):
        return value if value.dtype in (np.float32, np.float64) else None
    if not ops.is_tensor(value) or not len(value.shape):
        return None
    value = tensor_of(value)
    if keras.backend.standardize_dtype(value.dtype) not in ("float32", "float64"):
        return None
    if to_numpy_or_none(value[:0]) is None:  # no values are copied to find out
        return None
    backend = keras.config.backend()
    if backend == "tensorflow":
        return np.asarray(value) if "CPU" in value.device else None
    if backend == "jax":
        on_host = all(device.platform == "cpu" for device in value.devices())
        return np.asarray(value) if on_host else None
    if backend == "torch":
        return value.detach().numpy() if value.device.type == "cpu" else None
    return None


def top_label_of_array(
    y_pred: np.ndarray, *, from_logits: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns `(predicted, confidence)` as `probabilities.top_label` does, and checks the values.

    Args:
        y_pred: float32 or float64 array `(..., K)`.
        from_logits: Whether `y_pred` are logits.

    Returns:
        Integer and float32 arrays `(...)`; `None` if an example is no probability distribution
        (has no finite largest logit), or if there are no examples or no classes.

    Example:
    >>> import numpy as np
    >>> from ls_keras.metrics.numpy_top_label import top_label_of_array
    >>> predicted, confidence = top_label_of_array(np.array([[0.5, 0.5]]), from_logits=False)
    >>> predicted.tolist(), confidence.tolist()  # of equal classes the first
    ([0], [0.5])
    >>> top_label_of_array(np.array([[2.0, 2.0]]), from_logits=False) is None
    True
    """
    if not y_pred.ndim or not y_pred.size:
        return None
    rows = y_pred.reshape(-1, y_pred.shape[-1])
    predicted = np.empty(len(rows), np.intp)
    confidence = np.empty(len(rows), np.float32)
    size = max(1, _CHUNK // rows.shape[1])
    of_chunk = _of_logits if from_logits else _of_probabilities

    def run(start: int) -> bool:
        at = slice(start, min(start + size, len(rows)))
        with np.errstate(invalid="ignore", over="ignore"):
            return of_chunk(rows[at], predicted[at], confidence[at])

    if not all(in_threads(run, range(0, len(rows), size))):
        return None
    shape = y_pred.shape[:-1]
    return predicted.reshape(shape), confidence.reshape(shape)


def _of_probabilities(rows: np.ndarray, predicted: np.ndarray, confidence: np.ndarray) -> bool:
    """Sets `predicted` and `confidence`; returns whether all rows are distributions."""
    tolerance = SUM_TOLERANCE["float32"]
    sums = np.empty(len(rows), rows.dtype)
    # Read as unsigned integers, positive floats keep their order and negative ones come last:
    # one pass finds the largest, and whether there is any negative (or −0.0).
    bits = rows.view(f"u{rows.itemsize}")
    for at in _blocks(rows):
        bits[at].argmax(axis=-1, out=predicted[at])
        confidence[at] = _entries(rows[at], predicted[at])
        # einsum sums in an order of its own, less exactly than np.sum and in half the time;
        # `read_examples` sums again before it refuses anything.
        np.einsum("ij->i", rows[at], out=sums[at])
    if not np.abs(sums - 1).max() <= tolerance:  # a sum of NaN compares as false
        return False
    if np.signbit(confidence).any():
        for at in _blocks(rows):
            if rows[at].min() < -tolerance:
                return False
            rows[at].argmax(axis=-1, out=predicted[at])
            confidence[at] = _entries(rows[at], predicted[at])
    return True


def _of_logits(rows: np.ndarray, predicted: np.ndarray, confidence: np.ndarray) -> bool:
    """Sets `predicted` and `confidence`; returns whether each row has a finite largest logit."""
    for at in _blocks(rows):
        rows[at].argmax(axis=-1, out=predicted[at])
        largest = _entries(rows[at], predicted[at])
        if not np.isfinite(largest).all():  # argmax stops at a NaN
            return False
        # The largest softmax probability without the softmax: 1 / Σ exp(z − max z).
        e = np.subtract(rows[at], largest[:, None])
        confidence[at] = 1 / np.exp(e, out=e).sum(axis=-1)
    return True


def _blocks(rows: np.ndarray):
    step = max(1, _BLOCK // rows.shape[1])
    for at in range(0, len(rows), step):
        yield slice(at, min(at + step, len(rows)))


def _entries(rows: np.ndarray, index: np.ndarray) -> np.ndarray:
    return rows[np.arange(len(rows)), index]


def _class_labels(targets: Targets) -> np.ndarray:
    if targets.labels is not None:
        return to_host(targets.labels)
    dense = host_view(targets.dense)
    return (to_host(targets.dense) if dense is None else dense).argmax(axis=-1)

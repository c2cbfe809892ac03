"""Reads and checks targets, predictions and weights as NumPy arrays, for fits on the CPU.

Rows are processed in blocks that fit into the cache, on all cores; logits are not copied.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_base.process import num_cores
from ls_keras.backend.tensors import as_array, mask_of
from ls_keras.inputs.binary_targets import as_two_classes
from ls_keras.inputs.logits_check import warn_of_distributions, warn_of_sigmoids
from ls_keras.inputs.probabilities import SUM_TOLERANCE, expected_probabilities
from ls_keras.inputs.targets import read_targets
from ls_keras.inputs.validation import as_flag
from ls_keras.inputs.weights import position_weights

_BLOCK = 1 << 17  # elements: two float32 blocks are 1 MiB, inside a core's second-level cache
_CHECKED_ROWS = 4096  # for probabilities that are passed as logits
CHUNK = 1 << 21  # elements that one thread processes at a time


@dataclass(frozen=True)
class HostExamples:
    """Examples as arrays with precomputed statistics: n that count, of N in `logits`.

    With d = z − max z, the loss at β = 1/T is mass · log Σ_k exp(β d_k) − β · gap.

    Attributes:
        logits: Array `(N, K)`, not copied.
        rows: Indices `(n,)` into `logits`, or `None` for all.
        weights: float64 `(n,)`, all positive.
        top: Largest logit `(n,)`.
        gap: d at the label, or Σ_k y_k d_k for dense targets, `(n,)`.
        mass: Σ_k y_k `(n,)`, or `None` for integer labels (1).
        correct: Boolean `(n,)`.
        flat: Whether all finite logits of every example are equal.
        masked: Whether any logit is −inf.
        labels: Integers `(n,)`, or `None`.
        dense: Dense targets `(N, K)`, or `None`.
        positive: Boolean `(n,)` for sigmoids, `None` for classes: whether label 1 has the larger
            logit. For sigmoids, `correct` is whether the label is 1, and the confidence is the
            probability of 1.
    """

    logits: np.ndarray
    rows: np.ndarray | None
    weights: np.ndarray
    top: np.ndarray
    gap: np.ndarray
    mass: np.ndarray | None
    correct: np.ndarray
    flat: bool
    masked: bool
    labels: np.ndarray | None = None
    dense: np.ndarray | None = None
    positive: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.weights)

    def every(self, stride: int) -> "HostExamples":
        """Returns every `stride`-th example; logits are shared."""
        return self.chosen(slice(None, None, stride))

    def chosen(self, at) -> "HostExamples":
        """Returns the examples of a slice, indices or Booleans `(n,)`; logits are shared."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return replace(
            self,
            rows=rows[at],
            weights=self.weights[at],
            top=self.top[at],
            gap=self.gap[at],
            mass=None if self.mass is None else self.mass[at],
            correct=self.correct[at],
            labels=None if self.labels is None else self.labels[at],
            positive=None if self.positive is None else self.positive[at],
        )

    def confidence(self, top: np.ndarray, at: slice = slice(None)) -> np.ndarray:
        """Returns the confidences for the largest probabilities `(..., n)`."""
        return top if self.positive is None else np.where(self.positive[at], top, 1 - top)


def read_host_examples(
    y_true,
    y_pred,
    *,
    from_logits=False,
    sample_weight=None,
    mask=None,
    ignore_class=None,
    label_may_be_forbidden=False,
    multi_label=False,
):
    """Reads targets and predictions of the current backend, or arrays, into `HostExamples`.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`.
        from_logits: Whether `y_pred` are logits; probabilities are converted to their logarithms,
            which are logits.
        sample_weight: `(...)`, or of its leading axes, or `None`.
        mask: Boolean `(...)`. Default: the mask that layers attached to `y_pred`, if any.
        ignore_class: A label id, or several, whose positions do not count.
        label_may_be_forbidden: Whether a label's logit may be −inf, which makes the loss infinite.
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example;
            it becomes one of two classes, see `ls_keras.inputs.binary_targets`.

    Raises:
        InputError: If shapes, labels or weights are wrong, if logits that count contain NaN, +inf,
            or −inf where it makes the loss infinite at every temperature, or if probabilities that
            count are not probabilities.
    """
    as_flag(from_logits, "from_logits")
    mask = mask_of(y_pred) if mask is None else mask
    logits = as_array(y_pred, "y_pred")
    rough = logits.dtype.name == "bfloat16"
    if logits.dtype.kind != "f":  # bfloat16 among them
        logits = logits.astype(np.float32)
    if as_flag(multi_label, "multi_label"):
        if from_logits:
            warn_of_sigmoids(logits.reshape(-1)[:_CHECKED_ROWS])
        targets, logits, mask = as_two_classes(
            y_true, logits, from_logits=from_logits, ignore_class=ignore_class, mask=mask
        )
    else:
        targets = read_targets(y_true, logits, ignore_class=ignore_class)
    weights = position_weights(
        np.broadcast_to(np.float32(1), logits.shape[:-1]),
        valid=targets.valid,
        mask=mask,
        sample_weight=sample_weight,
    )
    logits = logits.reshape(-1, logits.shape[-1])
    rows = None
    if weights is None:
        weights = np.ones(len(logits))
    else:
        weights = to_host(weights).reshape(-1).astype(np.float64)
        if not np.all((weights >= 0) & np.isfinite(weights)):
            raise InputError(
                "Expected sample weights that are finite and not negative. Received: "
                f"{weights[~((weights >= 0) & np.isfinite(weights))][0]}"
            )
        if not np.all(weights):
            rows = np.flatnonzero(weights)
            weights = weights[rows]
    if targets.labels is not None:
        labels, dense = to_host(targets.labels).reshape(-1), None
        labels = labels if rows is None else labels[rows]
    else:
        labels, dense = None, to_host(targets.dense).reshape(-1, logits.shape[-1])
    if from_logits:
        look_at_logits(logits, rows)
    else:
        logits = _logarithms(logits, rows, expected_probabilities(multi_label), rough)
    examples = _prepare(logits, rows, weights, labels, dense, multi_label)
    _check(examples.top, None if label_may_be_forbidden else examples.gap)
    return examples


def look_at_logits(logits: np.ndarray, rows: np.ndarray | None) -> None:
    """Warns if the first rows that count are probabilities, which are passed as logits.

    Args:
        logits: Array `(N, K)`.
        rows: Indices of the rows that count; `None`: all.
    """
    first = read_rows(logits, rows, slice(_CHECKED_ROWS)).astype(np.float64)
    with np.errstate(invalid="ignore"):  # NaN is refused elsewhere
        warn_of_distributions(first.sum(-1), lambda: first.min(-1))


def check_any_counts(examples: HostExamples) -> None:
    """Raises an `InputError` if no example counts."""
    if not len(examples):
        raise InputError(
            "Expected at least one example that counts: not ignored, not masked, of a weight "
            f"above 0. Received: {len(examples.logits)} examples, none of them counts"
        )


def _logarithms(p: np.ndarray, rows: np.ndarray | None, expected: str, rough: bool) -> np.ndarray:
    """Returns log p `(N, K)`, finite where p underflowed; checks the rows that count.

    `rough` is whether p was bfloat16, whose sums have larger rounding errors.
    """
    dtype = compute_dtype(p)
    logits = np.empty(p.shape, dtype)
    counts = np.ones(len(p), bool)
    if rows is not None:
        counts[:] = False
        counts[rows] = True
    tolerance = SUM_TOLERANCE.get("bfloat16" if rough else p.dtype.name, SUM_TOLERANCE["bfloat16"])

    def run(at: slice) -> int:
        block = p[at].astype(dtype, copy=False)
        off = ~(np.abs(block.sum(-1) - 1) <= tolerance) | ~(block.min(-1) >= -tolerance)
        np.log(np.maximum(block, np.finfo(np.float32).tiny), out=logits[at])
        return int((off & counts[at]).sum())

    with np.errstate(invalid="ignore"):
        wrong = sum(in_threads(run, list(blocks(0, len(p), p.shape[1]))))
    if wrong:
        raise InputError(
            f"{expected}. Received: {wrong} of {int(counts.sum())} examples that don't"
        )
    return logits


def _prepare(logits, rows, weights, labels, dense, multi_label: bool) -> HostExamples:
    n = len(weights)
    dtype = compute_dtype(logits)
    top, gap = np.empty(n, dtype), np.empty(n, dtype)
    correct = np.empty(n, bool)
    mass = np.empty(n if labels is None else 0, np.float64)
    positive = np.empty(n if multi_label else 0, bool)
    size = max(1, CHUNK // logits.shape[1])

    def run(start: int) -> tuple[bool, bool]:
        flat, masked = True, False
        for at in blocks(start, min(start + size, n), logits.shape[1]):
            block = read_rows(logits, rows, at).astype(dtype, copy=False)
            index = np.arange(len(block))
            guess = block.argmax(-1)  # of a NaN, if there is one
            top[at] = block[index, guess]
            low = block.min(-1)
            if np.any(low == -np.inf):
                masked = True
                low = np.where(block == -np.inf, np.inf, block).min(-1)
            flat = flat and bool(np.all(low == top[at]))
            if dense is None:
                gap[at] = block[index, labels[at]] - top[at]
                correct[at] = guess == labels[at]
            else:
                y = read_rows(dense, rows, at)
                # Where y is 0, a logit of −inf adds nothing.
                d = np.where(y == 0, 0, block - top[at][:, None])
                gap[at] = np.einsum("ij,ij->i", y, d, dtype=np.float64)
                mass[at] = y.sum(-1, dtype=np.float64)
                label = y.argmax(-1)
                correct[at] = label == 1 if multi_label else guess == label
            if multi_label:
                positive[at] = guess == 1
        return flat, masked

    with np.errstate(invalid="ignore"):
        found = in_threads(run, range(0, n, size))
    return HostExamples(
        logits, rows, weights, top, gap, mass if labels is None else None, correct,
        all(flat for flat, _ in found), any(masked for _, masked in found), labels, dense,
        positive if multi_label else None,
    )  # fmt: skip


def _check(top: np.ndarray, gap: np.ndarray | None) -> None:
    bad = ~np.isfinite(top)
    if bad.any():
        raise InputError(
            "Expected logits without NaN or +inf, and a finite one in every example. Received: "
            f"{int(bad.sum())} of {len(top)} examples with a largest logit of {top[bad][0]}"
        )
    if gap is not None and not np.isfinite(gap).all():
        bad = ~np.isfinite(gap)
        raise InputError(
            "Expected finite logits where the target has probability; the loss is infinite at "
            f"every temperature otherwise. Received: {int(bad.sum())} of {len(gap)} examples whose "
            "label has a logit of -inf (or dense targets with NaN)"
        )


def in_threads(function, items) -> list:
    """Maps a function over items on all cores, in order; NumPy releases the interpreter lock."""
    helpers = min(num_cores(), len(items)) - 1
    if helpers < 1:
        return [function(item) for item in items]
    results: list = [None] * len(items)
    left = iter(range(len(items)))  # shared, so that a slow thread delays no other

    def work() -> None:
        for i in left:
            results[i] = function(items[i])

    with ThreadPoolExecutor(helpers) as pool:
        others = [pool.submit(work) for _ in range(helpers)]
        work()
        for other in others:
            other.result()
    return results


def rows_a_block(num_classes: int) -> int:
    """Returns how many rows of K classes fit into the cache."""
    return max(1, _BLOCK // num_classes)


def blocks(start: int, stop: int, num_classes: int):
    """Yields slices of rows that fit into the cache."""
    step = rows_a_block(num_classes)
    for at in range(start, stop, step):
        yield slice(at, min(at + step, stop))


def read_rows(array: np.ndarray, rows: np.ndarray | None, at: slice) -> np.ndarray:
    """Returns the rows of a block, without a copy if they are contiguous."""
    return array[at] if rows is None else array[rows[at]]


def compute_dtype(array: np.ndarray) -> np.dtype:
    """Returns float64 for float64, float32 for everything else."""
    return np.dtype(np.float64 if array.dtype == np.float64 else np.float32)


def to_host(value) -> np.ndarray:
    """Returns a NumPy array, without a copy where memory can be shared."""
    if isinstance(value, np.ndarray):
        return value
    return np.asarray(ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)

"""The worst classes, chosen on one half of the examples and measured on the other.

The largest of K noisy errors is biased up, the more so the larger K is; the error of the same class
on other examples is not.
"""

import numpy as np

from ls_keras.calibration.scaling.recalibration import log_softmax
from ls_keras.calibration.scaling.temperature_sums import bin_sums
from ls_keras.inputs.numpy_examples import HostExamples, blocks, in_threads, read_rows

_SAMPLE = 1 << 24  # probabilities used for the choice: 64 MiB


def hard_labels(examples: HostExamples) -> np.ndarray:
    """Returns the label of each example `(n,)`: for dense targets, their largest entry."""
    if examples.labels is not None:
        return examples.labels
    dense = read_rows(examples.dense, examples.rows, slice(None))  # type: ignore[arg-type]
    return dense.argmax(-1)


def class_probability(
    examples: HostExamples, class_id: int, temperatures: np.ndarray
) -> np.ndarray:
    """Returns the probability `(n,)` that each example gives to a class, at its temperature."""
    found = np.empty(len(examples))

    def run(at: slice) -> None:
        z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
        found[at] = np.exp(log_softmax(z, temperatures[at, None])[:, class_id])

    in_threads(run, list(blocks(0, len(examples), examples.logits.shape[1])))
    return found


def worst_calibrated(
    examples: HostExamples, labels: np.ndarray, num_bins: int, temperatures: np.ndarray
) -> int:
    """Returns the class whose own probability has the largest ECE, one against the rest.

    Args:
        examples: Examples for the choice; a sample is used if there are many.
        labels: Label of each example.
        num_bins: Number of bins of the ECE.
        temperatures: T that divides the logits of each example, `(n,)`.
    """
    num_classes = examples.logits.shape[1]
    stride = max(1, len(examples) * num_classes // _SAMPLE)
    examples, labels, temperatures = (
        examples.every(stride),
        labels[::stride],
        temperatures[::stride],
    )
    p = np.empty((len(examples), num_classes), np.float32)

    def run(at: slice) -> None:
        z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
        p[at] = np.exp(log_softmax(z, temperatures[at, None]))

    in_threads(run, list(blocks(0, len(examples), num_classes)))

    def error(class_id: int) -> float:
        column = np.ascontiguousarray(p[:, class_id])[None]
        bins = bin_sums(column, labels == class_id, examples.weights, num_bins)[0]
        return float(np.abs(bins[1] - bins[2]).sum())

    return int(np.argmax(in_threads(error, range(num_classes))))


def least_recalled(
    labels: np.ndarray, correct: np.ndarray, weights: np.ndarray, num_classes: int
) -> int:
    """Returns the class with the lowest recall, among those with examples.

    One correct and one wrong example are added to each class (Laplace), so that rare classes are
    not chosen by chance.

    Args:
        labels: `(n,)`.
        correct: `(n,)`.
        weights: `(n,)`.
        num_classes: K.
    """
    weights = weights / weights.mean()
    total = np.bincount(labels, weights, num_classes)
    hits = np.bincount(labels, weights * correct, num_classes)
    return int(np.argmin(np.where(total > 0, (hits + 1) / (total + 2), np.inf)))

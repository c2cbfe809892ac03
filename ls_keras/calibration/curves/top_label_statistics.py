"""Confidence, correctness, weight and group of each example: the input of all curves."""

from typing import NamedTuple

import numpy as np

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.validation import as_number


class Statistics(NamedTuple):
    """Checked examples: arrays `(N,)` with a total weight above 0.

    Attributes:
        confidence: float32 in [0, 1].
        correct: float64, 0 or 1.
        weights: float64, finite, at least 0.
        groups: int64.
    """

    confidence: np.ndarray
    correct: np.ndarray
    weights: np.ndarray
    groups: np.ndarray

    @property
    def gaps(self) -> np.ndarray:
        """Weight · (correct − confidence), float64 `(N,)`."""
        return self.weights * (self.correct - self.confidence)

    @property
    def examples(self) -> int:
        """Number of examples of a weight above 0."""
        return int((self.weights > 0).sum())

    @property
    def num_groups(self) -> int:
        """Number of groups with an example of a weight above 0."""
        return count_groups(self.groups[self.weights > 0])


def read_statistics(top_confidence, correct, sample_weight=None, groups=None) -> Statistics:
    """Reads and checks confidences and correctness; the arguments are `curve_of_statistics`'s.

    Raises:
        InputError: If the arrays have different lengths, if a value is out of range, or if no
            example counts.
    """
    values = as_array(top_confidence, "top_confidence").astype(np.float32)
    hits = as_array(correct, "correct").astype(np.float64)
    if sample_weight is None:
        weights = np.ones(values.shape)
    else:
        weights = as_array(sample_weight, "sample_weight").astype(np.float64)
    groups = np.arange(values.size) if groups is None else read_groups(groups)
    if values.ndim != 1 or not values.shape == hits.shape == weights.shape == groups.shape:
        raise InputError(
            "Expected arrays of one length N. Received: confidence, correct, weights and groups "
            f"of shapes {values.shape}, {hits.shape}, {weights.shape} and {groups.shape}"
        )
    for expected, valid, given in (
        ("confidences in [0, 1]", (values >= 0) & (values <= 1), values),
        ("finite weights of at least 0", (weights >= 0) & np.isfinite(weights), weights),
        ("correct to be Booleans, or 0 and 1", (hits == 0) | (hits == 1), hits),
    ):
        if not valid.all():
            raise InputError(f"Expected {expected}. Received: {given[~valid][0]}")
    if not weights.sum():
        raise InputError(
            "Expected at least one example that counts. Received: "
            f"{values.size} examples of total weight 0"
        )
    return Statistics(values, hits, weights, groups)


def read_groups(groups, name: str = "groups") -> np.ndarray:
    """Returns groups as int64; raises an `InputError` unless they are integers."""
    found = as_array(groups, name)
    if found.dtype.kind not in "iub":
        raise InputError(f"Expected {name} to be integers. Received: {name} of dtype {found.dtype}")
    return found.astype(np.int64)


def count_groups(groups: np.ndarray) -> int:
    """Returns the number of different ids."""
    # Ids mostly come in order, which this sort uses; `np.unique` takes ten times as long.
    ids = np.sort(groups, kind="stable")
    return 1 + int(np.count_nonzero(ids[1:] != ids[:-1]))


def at_positions(values: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Broadcasts values over trailing axes; raises an `InputError` unless they fit the shape."""
    if values.shape != shape[: values.ndim]:
        raise InputError(
            f"Expected {name} of shape {shape} or of its leading axes. "
            f"Received: {name} of shape {values.shape}"
        )
    return np.broadcast_to(values.reshape(values.shape + (1,) * (len(shape) - values.ndim)), shape)


def apply_mask(sample_weight, mask, shape: tuple[int, ...]):
    """Returns sample weights that are 0 where a mask is false; `None` without both.

    Args:
        sample_weight: Numbers of a shape or of its leading axes, or `None`.
        mask: Booleans of a shape or of its leading axes, or `None`.
        shape: Shape of the positions.
    """
    if mask is None:
        return sample_weight
    keep = at_positions(as_array(mask, "mask") != 0, shape, "mask").astype(np.float32)
    if sample_weight is None:
        return keep
    weights = as_array(sample_weight, "sample_weight")
    return np.where(keep, at_positions(weights, shape, "sample_weight"), 0).astype(np.float32)


def group_of_each_row(shape: tuple[int, ...]) -> np.ndarray:
    """Returns a group for each index of the first axis; one group for a shape without axes."""
    return np.arange(shape[0] if shape else 1).reshape(shape[:1])


def check_level(level) -> float:
    """Returns the level of an interval; raises an `InputError` unless it is in (0, 1)."""
    if not 0 < as_number(level, "confidence") < 1:
        raise InputError(f"Expected a confidence level between 0 and 1. Received: {level}")
    return float(level)

"""Sums over bins of confidence, of equal width or of the cells that equal-mass bins come from.

Each batch is summed once, with backend operations in graphs and on accelerators, and with NumPy in
host memory. The sums of batches and replicas add up.
"""

import dataclasses
import math
from typing import Any, Literal

import numpy as np
from keras import ops

from ls_keras.backend import exact_sum
from ls_keras.backend.tensors import to_numpy_or_none
from ls_keras.metrics.binning import equal_width_index, equal_width_index_of_array, sum_by_index
from ls_keras.metrics.calibration_error import Bins

# Cells of the fixed histogram behind equal-mass bins: per octave of the distance to the nearer
# of 0 and 1, down to 2^−24, the spacing of float32 just below 1.
_OCTAVES = 23


def cells_per_octave(classwise: bool) -> int:
    """Returns 128 (5,890 cells in all), or 8 (370) where every class has its own histogram."""
    return 8 if classwise else 128


def widest_cell(per_octave: int) -> float:
    """Returns the width of the widest cell, beside 0.5: 0.27 % at 128 an octave, 4.5 % at 8."""
    return (2 ** (1 / per_octave) - 1) / 2


def num_cells(per_octave: int) -> int:
    """Returns the number of cells of the fine histogram."""
    return 2 * (_OCTAVES * per_octave + 1)


def cell_index(confidence, per_octave: int):
    """Returns the int32 cell of each float32 confidence, increasing with it; NaN goes to cell 0.

    With u the distance to the nearer of 0 and 1, cells are `per_octave` equal steps of log2 u from
    2^−24 to 2^−1, since confidences of networks near 1 differ by powers of two.
    """
    known = ops.where(ops.isnan(confidence), ops.zeros_like(confidence), confidence)
    high = known > 0.5
    distance = ops.where(high, 1.0 - known, known)
    octaves = ops.log2(ops.maximum(distance, 2.0**-24)) + (_OCTAVES + 1)
    last = _OCTAVES * per_octave
    cell = ops.clip(ops.cast(ops.floor(octaves * per_octave), "int32"), 0, last)
    return ops.where(high, 2 * last + 1 - cell, cell)


def merge_cells(count, sums, num_bins: int):
    """Merges the cells of a fine histogram into bins of equal mass.

    A cell that contains an edge is divided between the two bins in proportion, so every bin holds
    exactly 1/B of the mass, and equal confidences are split evenly.

    Args:
        count: float32 tensor `(..., C)`: the mass of each cell, cells in order of confidence.
        sums: float32 tensor `(Q, ..., C)`: quantities of each cell.
        num_bins: B.

    Returns:
        `(merged, split)`: the quantities `(Q, ..., B)` of each bin, and the mass `(..., B − 1)`
        of the cell that each inner edge divides (0 where it falls between two cells).
    """
    cumulated = ops.cumsum(count, axis=-1)
    total = cumulated[..., -1:]
    inner = ops.convert_to_tensor((np.arange(1, num_bins) / num_bins).astype(np.float32))
    edges = total * inner
    # Cells wholly below each edge: a sum of comparisons, (..., B − 1, C) booleans.
    below = ops.expand_dims(cumulated, -2) <= ops.expand_dims(edges, -1)
    cell = ops.minimum(ops.sum(ops.cast(below, "int32"), axis=-1), count.shape[-1] - 1)
    mass = ops.take_along_axis(count, cell, axis=-1)
    before = ops.take_along_axis(cumulated, cell, axis=-1) - mass
    some = mass > 0
    part = ops.where(some, (edges - before) / ops.where(some, mass, ops.ones_like(mass)), 0.0)
    part = ops.clip(part, 0.0, 1.0)
    cells = ops.broadcast_to(cell, (sums.shape[0], *cell.shape))
    running = ops.cumsum(sums, axis=-1)
    inside = ops.take_along_axis(sums, cells, axis=-1)
    at_edge = ops.take_along_axis(running, cells, axis=-1) - (1.0 - part) * inside
    bounds = ops.concatenate(
        [ops.zeros_like(running[..., :1]), at_edge, running[..., -1:]], axis=-1
    )
    split = ops.where((part > 0) & (part < 1), mass, ops.zeros_like(mass))
    return bounds[..., 1:] - bounds[..., :-1], split


Binning = Literal["equal_width", "equal_mass"]

# Rows of the sums: Σw, Σw·confidence, Σw·correct and, for the debiased estimate, Σw².
_WEIGHT, _CONFIDENCE, _CORRECT, _SQUARE = range(4)


@dataclasses.dataclass(frozen=True)
class ConfidenceHistogram:
    """Which sums of examples to keep; the caller holds the sums.

    Attributes:
        num_bins: B.
        binning: `"equal_width"` or `"equal_mass"`.
        classwise: Whether there is a histogram for each class.
        squares: Whether to keep Σw², too.
    """

    num_bins: int
    binning: Binning
    classwise: bool
    squares: bool

    @property
    def size(self) -> int:
        """Number of bins or cells that are summed over, S."""
        if self.binning == "equal_width":
            return self.num_bins
        return num_cells(self._per_octave)

    def shape(self, num_classes: int | None) -> tuple[Any, ...]:
        """Returns the shape of the sums: `(rows, S)`, or `(rows, K, S)` with `classwise`."""
        classes = (num_classes,) if self.classwise else ()
        return (4 if self.squares else 3, *classes, self.size)

    def sums(self, weights, confidence, correct):
        """Returns the sums of N examples.

        Args:
            weights: float32 tensor `(N, 1)`.
            confidence: float32 tensor `(N, 1)`, or `(N, K)` with `classwise`; no NaN.
            correct: float32 tensor of the same shape, 0 or 1.
        """
        shape = self.shape(confidence.shape[-1])
        if self.binning == "equal_width":
            index = equal_width_index(confidence, self.num_bins)
        else:
            index = cell_index(confidence, self._per_octave)
        weights = ops.broadcast_to(weights, ops.shape(confidence))
        rows = [weights, weights * confidence, weights * correct, ops.square(weights)]
        rows = ops.stack(rows[: shape[0]], axis=-1)
        if self.classwise:
            index = index + ops.arange(shape[1], dtype="int32") * self.size
        sums = sum_by_index(
            ops.reshape(rows, (-1, shape[0])), ops.reshape(index, (-1,)), math.prod(shape[1:])
        )
        return ops.reshape(sums, shape)

    def sums_of_arrays(
        self, confidence: np.ndarray, correct: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Returns the same in NumPy, of one histogram for all classes.

        Args:
            confidence: float32 `(N,)`, no NaN.
            correct: Boolean `(N,)`.
            weights: float32 `(N,)`, or `None` where every example weighs 1.
        """
        if self.binning == "equal_width":
            index = equal_width_index_of_array(confidence, self.num_bins)
        else:
            index = ops.convert_to_numpy(cell_index(confidence, self._per_octave))
        w = None if weights is None else weights.astype(np.float64)
        count = np.bincount(index, w, self.size)
        rows = [
            count,
            np.bincount(index, confidence if w is None else w * confidence, self.size),
            np.bincount(index, correct if w is None else w * correct, self.size),
        ]
        if self.squares:
            rows.append(count if w is None else np.bincount(index, w * w, self.size))
        return np.asarray(rows, np.float32)

    def bins(self, words) -> tuple[Bins, Any]:
        """Returns the bins of running sums, and the mass that their edges divide.

        Args:
            words: Tensor `(3, *shape)`: the sums as `ls_keras.backend.exact_sum` keeps them.

        Returns:
            `(bins, split)`: NumPy arrays in eager use, tensors in graphs; `split` as
            `merge_cells` returns it, `None` for bins of equal width.
        """
        words = ops.convert_to_tensor(words)
        on_host = to_numpy_or_none(words)
        words = words if on_host is None else on_host
        sums = exact_sum.value(words)
        count, correct = sums[_WEIGHT], sums[_CORRECT]
        gap = exact_sum.difference(words[:, _CORRECT], words[:, _CONFIDENCE])
        squares = sums[_SQUARE] if self.squares else count
        split = None
        if self.binning == "equal_mass":
            quantities = ops.stack([count, gap, correct, squares])
            quantities, split = merge_cells(count, quantities, self.num_bins)
            count, gap, correct, squares = (quantities[i] for i in range(4))
        return Bins(count, gap, correct, squares), split

    @property
    def widest_cell(self) -> float:
        """Width of the widest cell that an edge of an equal-mass bin can divide."""
        return widest_cell(self._per_octave)

    @property
    def _per_octave(self) -> int:
        return cells_per_octave(self.classwise)

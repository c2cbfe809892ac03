"""Sums over bins of confidence: of equal width, or of the cells that equal-mass bins come from.

Each batch is summed once, with the backend's operations in graphs and on accelerators, with NumPy
where the predictions are in the host's memory. The sums of batches and replicas add up.
"""

import dataclasses
import math
from typing import Any, Literal

import numpy as np
from keras import ops

from ls_keras.calibration import exact_sum
from ls_keras.calibration.binning import (
    equal_width_index,
    equal_width_index_of_array,
    sum_by_index,
)
from ls_keras.calibration.calibration_error import Bins
from ls_keras.calibration.equal_mass import (
    cell_index,
    cells_per_octave,
    merge_cells,
    num_cells,
    widest_cell,
)
from ls_keras.concrete import concrete

Binning = Literal["equal_width", "equal_mass"]

# Rows of the sums: Σw, Σw·confidence, Σw·correct and, for the debiased estimate, Σw².
_WEIGHT, _CONFIDENCE, _CORRECT, _SQUARE = range(4)


@dataclasses.dataclass(frozen=True)
class ConfidenceHistogram:
    """Which sums are kept of examples; the sums themselves are the caller's.

    Attributes:
        num_bins: B.
        binning: How bins are made.
        classwise: Whether there is a histogram for each class.
        squares: Whether Σw² is kept as well.
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
        """Returns the bins that running sums hold, and what their edges divide.

        Args:
            words: Tensor `(3, *shape)`: the sums as `ls_keras.calibration.exact_sum` keeps them.

        Returns:
            `(bins, split)`: NumPy arrays in eager use, tensors in graphs; `split` as
            `merge_cells` returns it, `None` for bins of equal width.
        """
        words = ops.convert_to_tensor(words)
        on_host = concrete(words)
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

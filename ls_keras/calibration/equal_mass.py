"""Bins of equal mass from a fixed histogram, so that no confidence needs to be kept."""

import numpy as np
from keras import ops

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

    With u the distance to the nearer of 0 and 1, cells are `per_octave` equal steps of log2 u
    from 2^−24 to 2^−1: where networks are sure, near 1, confidences differ by powers of two.
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

    A cell that a bin's edge falls into is shared between the two bins in proportion, so every
    bin holds exactly 1/B of the mass, and confidences that are all equal split evenly.

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

"""Assignment of confidences to bins.

Bins are left-open and right-closed, ((b − 1)/B, b/B], with edges rounded to float32; the first
is closed on the left too: confidence 0.0 is in the first bin, 1.0 in the last. netcal and
torchmetrics close bins on the left, [(b − 1)/B, b/B), and torchmetrics puts 1.0 into a bin of
its own; Guo et al. (2017) and scikit-learn's `calibration_curve` close them on the right.
"""

import numpy as np
from keras import ops

from ls_keras.inputs.validation import as_count

MAX_BINS = 4096

# Each batch is summed in several lanes, so that no float32 sum has many terms.
_LANES = 256
_MAX_SEGMENTS = 8192


def check_num_bins(num_bins: int) -> int:
    """Returns `num_bins`, or raises InputError unless it is a whole number from 1 to 4,096.

    More bins do not help, and sums over them at 200 temperatures or for 10,000 resamples need
    gigabytes.
    """
    return as_count(num_bins, "num_bins", 1, MAX_BINS)


def equal_width_edges(num_bins: int) -> np.ndarray:
    """Returns the float32 edges 0, 1/B, …, 1 of `num_bins` equal bins: shape `(num_bins + 1,)`."""
    return (np.arange(num_bins + 1) / num_bins).astype(np.float32)


def equal_width_index(confidence, num_bins: int):
    """Returns the int32 bin `(...)` of each float32 confidence `(...)`; NaN goes to bin 0.

    O(N) without an N × bins tensor: the arithmetic guess is at most one bin off, and two
    comparisons with the edges correct it.
    """
    edges = ops.convert_to_tensor(equal_width_edges(num_bins))
    known = ops.where(ops.isnan(confidence), ops.zeros_like(confidence), confidence)
    guess = ops.cast(ops.ceil(known * num_bins), "int32") - 1
    guess = ops.clip(guess, 0, num_bins - 1)
    below = ops.cast(known <= ops.take(edges, guess), "int32")
    above = ops.cast(known > ops.take(edges, guess + 1), "int32")
    return ops.clip(guess - below + above, 0, num_bins - 1)


def equal_width_index_of_array(confidence: np.ndarray, num_bins: int) -> np.ndarray:
    """Returns `equal_width_index` of float32 confidences `(N,)` without NaN, in NumPy."""
    edges = equal_width_edges(num_bins)
    # Four times faster than a binary search, whose branches cannot be predicted.
    guess = np.ceil(confidence * np.float32(num_bins)).astype(np.intp) - 1
    np.clip(guess, 0, num_bins - 1, out=guess)
    guess -= confidence <= edges[guess]
    guess += confidence > edges[guess + 1]
    return np.clip(guess, 0, num_bins - 1, out=guess)


def sum_by_index(values, index, size: int):
    """Sums each row of `values` by index.

    Args:
        values: float32 tensor `(N, Q)`: Q quantities of N examples.
        index: int32 tensor `(N,)` in `[0, size)`.
        size: Number of different indices.

    Returns:
        float32 tensor `(Q, size)`. Whole numbers are exact up to 2^24.
    """
    lanes = max(1, min(_LANES, _MAX_SEGMENTS // size))
    lane = ops.arange(ops.shape(index)[0], dtype="int32") % lanes
    sums = ops.segment_sum(values, lane * size + index, num_segments=lanes * size)
    sums = ops.sum(ops.reshape(sums, (lanes, size, -1)), axis=0)
    return ops.transpose(sums)

import numpy as np
import pytest
from keras import ops

from ls_keras.backend import exact_sum
from ls_keras.metrics.confidence_histogram import (
    ConfidenceHistogram,
    cell_index,
    merge_cells,
    num_cells,
    widest_cell,
)

CONFIDENCE = np.float32([0.125, 0.5, 0.5, 1.0])
CORRECT = np.array([False, True, False, True])
WEIGHTS = np.float32([1, 2, 0, 4])


def words(sums):
    """Returns running sums of one batch."""
    return exact_sum.add(np.zeros((exact_sum.WORDS, *sums.shape), np.float32), sums)


def test_rows_by_hand():
    histogram = ConfidenceHistogram(2, "equal_width", classwise=False, squares=True)
    sums = histogram.sums_of_arrays(CONFIDENCE, CORRECT, WEIGHTS)
    assert sums.shape == histogram.shape(None) == (4, 2)
    np.testing.assert_array_equal(sums, [[3, 4], [1.125, 4], [2, 4], [5, 16]])
    bins, split = histogram.bins(words(sums))
    assert split is None
    np.testing.assert_array_equal(bins.weight, [3, 4])
    np.testing.assert_array_equal(bins.gap, [0.875, 0])
    np.testing.assert_array_equal(bins.squares, [5, 16])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])
def test_the_backend_and_numpy_sum_alike(rng, binning, weighted):
    histogram = ConfidenceHistogram(7, binning, classwise=False, squares=True)
    confidence = rng.random(500).astype("float32")
    correct = rng.random(500) < confidence
    weights = rng.random(500).astype("float32") if weighted else None
    theirs = histogram.sums(
        ops.ones((500, 1)) if weights is None else ops.convert_to_tensor(weights[:, None]),
        ops.convert_to_tensor(confidence[:, None]),
        ops.cast(ops.convert_to_tensor(correct[:, None]), "float32"),
    )
    ours = histogram.sums_of_arrays(confidence, correct, weights)
    np.testing.assert_allclose(ops.convert_to_numpy(theirs), ours, rtol=1e-5, atol=1e-6)


def test_each_class_has_a_histogram_of_its_own():
    histogram = ConfidenceHistogram(2, "equal_width", classwise=True, squares=False)
    confidence = ops.convert_to_tensor(np.float32([[0.75, 0.25], [0.25, 0.75], [0.75, 0.25]]))
    correct = ops.convert_to_tensor(np.float32([[1, 0], [1, 0], [0, 1]]))
    sums = ops.convert_to_numpy(histogram.sums(ops.ones((3, 1)), confidence, correct))
    assert sums.shape == histogram.shape(2) == (3, 2, 2)
    np.testing.assert_array_equal(sums[0], [[1, 2], [2, 1]])  # class × bin
    np.testing.assert_array_equal(sums[2], [[1, 1], [1, 0]])


def test_bins_of_equal_mass_hold_equal_mass():
    histogram = ConfidenceHistogram(2, "equal_mass", classwise=False, squares=False)
    sums = histogram.sums_of_arrays(CONFIDENCE, CORRECT, None)
    assert sums.shape == (3, histogram.size)
    bins, split = histogram.bins(words(sums))
    np.testing.assert_allclose(ops.convert_to_numpy(bins.weight), [2, 2])
    np.testing.assert_allclose(ops.convert_to_numpy(split), [2])  # both of confidence 0.5
    assert 0 < histogram.widest_cell < 0.01


@pytest.mark.parametrize("per_octave", [8, 128])
def test_cells_increase_with_confidence_and_are_narrow(per_octave):
    grid = np.concatenate([np.linspace(0, 1, 200_001), 1 - np.geomspace(2**-24, 0.5, 5000)])
    grid = np.unique(grid.astype(np.float32))
    cells = ops.convert_to_numpy(cell_index(ops.array(grid), per_octave))
    assert (np.diff(cells) >= 0).all()
    assert cells[0] == 0
    assert cells[-1] == num_cells(per_octave) - 1
    first = np.r_[True, np.diff(cells) > 0]
    last = np.r_[np.diff(cells) > 0, True]
    assert (grid[last] - grid[first]).max() <= widest_cell(per_octave) * (1 + 1e-3)


def test_cells_near_one_tell_sure_predictions_apart():
    sure = np.float32([1 - 2**-20, 1 - 2**-21, 1 - 2**-23, 1])
    cells = ops.convert_to_numpy(cell_index(ops.array(sure), 128))
    assert len(set(cells.tolist())) == 4


def test_merging_by_hand():
    # Masses 1, 3, 0, 4 into two bins of 4: the edge falls between cells, nothing is divided.
    merged, split = merge_cells(
        ops.array([1.0, 3.0, 0.0, 4.0]), ops.array([[1.0, 3.0, 0.0, 4.0], [0.5, 1.0, 0.0, -2.0]]), 2
    )
    np.testing.assert_allclose(ops.convert_to_numpy(merged), [[4, 4], [1.5, -2]])
    np.testing.assert_allclose(ops.convert_to_numpy(split), [0])
    # Into four of 2: the second cell is shared 1 : 2, the last 2 : 2.
    merged, split = merge_cells(
        ops.array([1.0, 3.0, 0.0, 4.0]), ops.array([[3.0, 6.0, 0.0, 8.0]]), 4
    )
    np.testing.assert_allclose(ops.convert_to_numpy(merged), [[5, 4, 4, 4]], rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(split), [3, 0, 4])


def test_equal_confidences_split_evenly():
    merged, _ = merge_cells(ops.array([0.0, 9.0, 0.0]), ops.array([[0.0, 6.0, 0.0]]), 3)
    np.testing.assert_allclose(ops.convert_to_numpy(merged), [[2, 2, 2]], rtol=1e-6)

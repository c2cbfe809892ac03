import numpy as np
import pytest
from keras import ops

from ls_keras.calibration.equal_mass import cell_index, merge_cells, num_cells, widest_cell


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

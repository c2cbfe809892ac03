import numpy as np
import pytest

from ls_keras.metrics import BrierScore


def brier(y_true, y_pred, **options):
    metric = BrierScore(**options)
    metric.update_state(y_true, y_pred)
    return float(metric.result())


def test_by_hand():
    assert brier([0, 1], [[0.75, 0.25], [0.5, 0.5]]) == pytest.approx(0.3125, abs=1e-7)
    assert brier([0], [[1.0, 0.0]]) == 0
    assert brier([0], [[0.0, 1.0]]) == 2


def test_soft_targets_by_hand():
    y_true = np.float32([[0.5, 0.25, 0.25]])
    assert brier(y_true, [[0.25, 0.5, 0.25]]) == pytest.approx(2 * 0.25**2, abs=1e-7)

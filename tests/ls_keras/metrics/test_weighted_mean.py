import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras.backend import exact_sum
from ls_keras.metrics import Accuracy


def test_counts_stay_exact_past_what_float32_counts():
    metric = Accuracy()
    high = ops.array([16.0, 0.0, 0.0])  # 2^24 examples, all right
    for variable in metric.variables:
        variable.assign(high)
    for _ in range(4):
        metric.update_state([1], [[1.0, 0.0]])
    right, seen = (ops.convert_to_numpy(v).tolist() for v in metric.variables)
    assert (right, seen) == ([16, 0, 0], [16, 4, 0])
    assert float(exact_sum.difference(*(ops.array(w) for w in (seen, right)))) == 4


def test_negative_weights_are_refused_by_functions_too():
    p, weights = np.float32([[0.75, 0.25], [0.5, 0.5]]), np.float32([1.0, -0.5])
    message = "Expected sample weights that are finite and not negative. Received: -0.5"
    for function in (ls_keras.reliability_curve, ls_keras.equivalent_smoothing):
        with pytest.raises(InputError, match=message):
            function([0, 1], p, sample_weight=weights)

import numpy as np
import pytest
from scipy.special import softmax

from ls_base.errors import InputError
from ls_keras.representation import confidence_spread


def test_spread_equals_the_deviation_within_each_class(rng):
    z, y = rng.normal(size=(50, 4)) * 3, rng.integers(0, 3, 50)
    p = softmax(z, axis=1)
    for found in (confidence_spread(y, p), confidence_spread(y, z, from_logits=True)):
        for k in range(3):
            own = p[y == k, k]
            assert found.mean[k] == pytest.approx(own.mean(), rel=1e-5)
            assert found.deviation[k] == pytest.approx(own.std(), rel=1e-5)
        assert np.isnan(found.mean[3])
        within = np.sqrt(sum(((p[y == k, k] - p[y == k, k].mean()) ** 2).sum() for k in range(3)))
        assert found.within() == pytest.approx(within / np.sqrt(50), rel=1e-5)


def test_padding_does_not_count(rng):
    z, y = rng.normal(size=(4, 3, 5)), rng.integers(0, 5, (4, 3))
    padded = np.where(np.arange(3) < 2, y, -1)
    found = confidence_spread(padded, z, from_logits=True, ignore_class=-1)
    cut = confidence_spread(y[:, :2], z[:, :2], from_logits=True)
    np.testing.assert_array_equal(found.counts, cut.counts)
    np.testing.assert_allclose(found.deviation, cut.deviation, rtol=1e-6)


def test_logits_as_probabilities_and_empty_data_raise_input_errors():
    with pytest.raises(InputError, match="from_logits=True. Received: 3.0"):
        confidence_spread([0, 1], [[3.0, 0.0], [0.0, 0.5]])
    with pytest.raises(InputError, match="at least one example"):
        confidence_spread([-1], [[1.0, 0.0]], ignore_class=-1)

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ls_keras.representation.class_moments import ClassMoments


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 30), max_size=4), st.floats(-1e6, 1e6))
def test_moments_equal_numpy_for_any_batches(seed, cuts, offset):
    rng = np.random.default_rng(seed)
    labels, values = rng.integers(0, 4, 30), rng.normal(size=(30, 3)) + offset
    moments = ClassMoments(5, 3)
    for part in np.split(np.arange(30), sorted(cuts)):
        moments.add(labels[part], values[part])
    assert moments.counts.tolist() == np.bincount(labels, minlength=5).tolist()
    for k in range(4):
        own = values[labels == k]
        if len(own):
            np.testing.assert_allclose(moments.means[k], own.mean(0), rtol=1e-9)
            np.testing.assert_allclose(
                moments.deviations()[k], np.sqrt(own.var(0).sum()), rtol=1e-5, atol=1e-9
            )
    assert np.isnan(moments.deviations()[4])

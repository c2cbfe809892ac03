import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ls_base.errors import InputError
from ls_keras.metrics.binning import (
    check_num_bins,
    equal_width_edges,
    equal_width_index,
    equal_width_index_of_array,
    sum_by_index,
)


def index_of(confidences, num_bins):
    return ops.convert_to_numpy(
        equal_width_index(ops.convert_to_tensor(np.float32(confidences)), num_bins)
    ).tolist()


def test_bins_are_left_open_and_right_closed():
    assert index_of([0.0, 0.25, 0.2500001, 0.5, 0.75, 0.7500001, 1.0], 4) == [0, 0, 1, 1, 2, 3, 3]


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 300),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20),
    st.integers(0, 2**31),
)
def test_index_is_that_of_a_search_in_the_edges(num_bins, confidences, seed):
    edges = equal_width_edges(num_bins)
    near = np.random.default_rng(seed).choice(edges, 8)
    neighbors = [near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(1))]
    values = np.concatenate([np.float32(confidences), *neighbors])
    expected = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, num_bins - 1)
    assert index_of(values, num_bins) == expected.tolist()
    assert equal_width_index_of_array(values, num_bins).tolist() == expected.tolist()


@pytest.mark.tensorflow
def test_xla_divides_at_the_same_edges():
    import tensorflow as tf

    for num_bins in (10, 15, 49):
        edges = equal_width_edges(num_bins)
        values = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)])
        values = values.astype(np.float32)
        compiled = tf.function(lambda c, n=num_bins: equal_width_index(c, n), jit_compile=True)
        assert compiled(tf.constant(values)).numpy().tolist() == index_of(values, num_bins)


def test_sums_by_index_are_exact_counts_and_match_numpy(rng):
    index = rng.integers(0, 7, 5000).astype("int32")
    values = rng.random((5000, 2)).astype("float32")
    values[:, 0] = 1
    sums = ops.convert_to_numpy(sum_by_index(ops.array(values), ops.array(index), 7))
    np.testing.assert_array_equal(sums[0], np.bincount(index, minlength=7))
    np.testing.assert_allclose(sums[1], np.bincount(index, values[:, 1].astype(float)), rtol=1e-6)


def test_sums_of_many_equal_values_do_not_drift():
    values = np.full((400_000, 1), 0.9, np.float32)
    index = np.zeros(400_000, np.int32)
    expected = 400_000 * float(np.float32(0.9))
    one_by_one = float(np.cumsum(values[:, 0])[-1])
    assert abs(one_by_one / expected - 1) > 1e-3  # what a plain float32 sum gives
    total = float(sum_by_index(ops.array(values), ops.array(index), 1)[0, 0])
    assert total == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("num_bins", [0, -1, 1.5, True, "15", None, 2**21])
def test_wrong_numbers_of_bins_are_refused(num_bins):
    with pytest.raises(InputError, match="num_bins"):
        check_num_bins(num_bins)

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ls_keras.decoding import compiled
from ls_keras.decoding.gather import first_top_k, flat_rows, take_places, take_rows

BACKEND = keras.config.backend()
# Raised by PyTorch's conversion to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def check(function, values, k):
    largest, ids = (ops.convert_to_numpy(part) for part in function(values))
    expected = np.argsort(-values, axis=-1, kind="stable")[:, :k]
    np.testing.assert_array_equal(largest, np.take_along_axis(values, expected, axis=-1))
    possible = np.isfinite(largest)
    np.testing.assert_array_equal(ids[possible], expected[possible])
    assert ids.dtype == np.int32
    assert ((ids >= 0) & (ids < values.shape[1])).all()


@settings(deadline=None, max_examples=15 if BACKEND == "jax" else 60)
@given(st.data())
def test_top_k_equals_a_stable_sort_with_ties(data):
    n = data.draw(st.integers(2, 9))
    k = data.draw(st.integers(1, n))
    level = st.sampled_from([-np.inf, -1.0, 0.0, 1.0, 2.0])
    rows = data.draw(st.lists(st.lists(level, min_size=n, max_size=n), min_size=1, max_size=4))
    values = np.array(rows, "float32")
    check(lambda x: first_top_k(ops.convert_to_tensor(x), k), values, k)


@pytest.mark.parametrize("jit_compile", [False, True] if BACKEND == "tensorflow" else [False])
@pytest.mark.parametrize("k", [1, 5])
def test_top_k_of_long_rows_compiled(rng, k, jit_compile):
    """Rows are long enough for blocks, and the last block is partial."""
    values = rng.integers(0, 40, size=(16, 4100)).astype("float32")
    values[0] = 1.0
    values[1:4] = -np.inf
    values[2, [4099, 7]] = 2.0
    values[3, ::100] = np.arange(41)
    check(compiled(lambda x: first_top_k(x, k), jit_compile=jit_compile), values, k)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shape", [(2, 5), (16, 4100)])
def test_top_k_of_nan_gives_ids_in_range(k, shape):
    ids = ops.convert_to_numpy(first_top_k(ops.full(shape, np.nan), k)[1])
    assert ((ids >= 0) & (ids < shape[1])).all()


def test_take_rows_of_any_rank(rng):
    values = rng.normal(size=(6, 2, 3)).astype("float32")
    rows = np.array([5, 0, 0, 3], "int32")
    taken = take_rows(ops.convert_to_tensor(values), ops.convert_to_tensor(rows))
    np.testing.assert_array_equal(ops.convert_to_numpy(taken), values[rows])


def test_take_places_of_each_sample(rng):
    places = np.array([[2, 0], [1, 1]], "int32")
    for shape in ((2, 3), (2, 3, 4)):
        values = rng.normal(size=shape).astype("float32")
        taken = take_places(ops.convert_to_tensor(values), ops.convert_to_tensor(places))
        wanted = np.stack([sample[row] for sample, row in zip(values, places, strict=True)])
        np.testing.assert_array_equal(ops.convert_to_numpy(taken), wanted)


def test_flat_rows_of_all_samples():
    places = ops.convert_to_tensor(np.array([[2, 0], [1, 1]], "int32"))
    assert ops.convert_to_numpy(flat_rows(places, 3)).tolist() == [2, 0, 4, 4]

import functools
import math
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ls_keras.backend import exact_sum
from tracing import run_traced


def total(words) -> int:
    high, low, rest = (float(word) for word in ops.convert_to_numpy(words))
    return int(high) * 2**20 + int(low) + int(rest)


def words_of(number: int):
    return ops.array([float(number // 2**20), float(number % 2**20), 0.0], "float32")


@pytest.mark.parametrize("start", [2**24 - 1, 2**24, 2**31, 2**40])
def test_single_examples_count_where_a_float32_counter_stands_still(start):
    assert np.float32(2**24) + np.float32(1) == np.float32(2**24)
    words = words_of(start)
    for _ in range(5):
        words = exact_sum.add(words, ops.array(1.0))
    assert total(words) == start + 5


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2**22), min_size=1, max_size=12), st.integers(0, 2**43))
def test_whole_numbers_are_exact(increments, start):
    words = words_of(start)
    array = ops.convert_to_numpy(words)
    for increment in increments:
        words = exact_sum.add(words, ops.array(float(increment)))
        array = exact_sum.add(array, np.float32(increment))
    assert total(words) == start + sum(increments)
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    assert total(array) == start + sum(increments)


def test_replicas_words_add_up(rng):
    left, right = words_of(2**24 + 3), words_of(2**25 + 2**20 - 1)
    assert total(left + right) == 2**24 + 3 + 2**25 + 2**20 - 1


def test_fractions_do_not_drift():
    increments = np.full(3000, np.float32(1000.3))
    words = run_traced(
        lambda values: ops.fori_loop(
            0, 3000, lambda i, w: exact_sum.add(w, ops.take(values, i)), ops.zeros(3)
        ),
        increments,
    )
    plain = functools.reduce(operator.add, increments, np.float32(0))
    expected = math.fsum(increments.tolist())
    error = abs(float(exact_sum.value(words)) - expected)
    assert error <= abs(float(np.float32(expected)) - expected) + np.spacing(np.float32(expected))
    assert abs(float(plain) - expected) > 5 * error + 10


def test_infinite_and_nan_increments_stay_visible():
    words = exact_sum.add(ops.array([1.0, 2.0, 0.0]), ops.array(np.inf))
    words = exact_sum.add(words, ops.array(1.0))
    assert float(exact_sum.value(words)) == np.inf
    assert np.isnan(float(exact_sum.value(exact_sum.add(words, ops.array(np.nan)))))


def test_difference_of_large_sums_is_not_rounded_away():
    left, right = words_of(2**40 + 1), words_of(2**40)
    assert float(exact_sum.value(left)) == float(exact_sum.value(right))
    assert float(exact_sum.difference(left, right)) == 1.0


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_compilers_keep_the_arithmetic(jit_compile):
    import tensorflow as tf

    words = tf.function(exact_sum.add, jit_compile=jit_compile)(
        tf.constant([15.0, 2.0**20 - 0.75, 0.0]), tf.constant(0.1)
    )
    exact = 15 * 2**20 + 2**20 - 0.75 + float(np.float32(0.1))
    assert sum(np.array([2**20, 1, 1]) * words.numpy().astype(float)) == pytest.approx(
        exact, abs=1e-9
    )

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_keras.decoding.padded_batches import padded_batches, padded_size


@pytest.mark.parametrize(
    ("size", "padded"), [(0, 8), (8, 8), (9, 12), (12, 12), (13, 16), (17, 24), (25, 32)]
)
def test_lengths_are_few(size, padded):
    assert padded_size(size, 8) == padded


@given(st.lists(st.integers(0, 200), max_size=40), st.integers(1, 9))
def test_every_example_is_in_one_batch_that_holds_it(sizes, batch_size):
    batches = list(padded_batches(sizes, batch_size, shortest=8))
    seen = np.concatenate([batch.rows for batch in batches]) if batches else np.array([])
    assert sorted(seen.tolist()) == list(range(len(sizes)))
    for size, rows, filled in batches:
        assert {padded_size(sizes[row], 8) for row in rows} == {size}
        assert len(filled) == min(batch_size, len(sizes))
        assert filled[: len(rows)].tolist() == rows.tolist()
        assert set(filled[len(rows) :].tolist()) <= {rows[0]}


@given(st.lists(st.integers(0, 200), max_size=40), st.integers(1, 200))
def test_a_batch_has_no_more_positions_than_it_may(sizes, most):
    batches = list(padded_batches(sizes, 9, shortest=8, most_positions=most))
    seen = np.concatenate([batch.rows for batch in batches]) if batches else np.array([])
    assert sorted(seen.tolist()) == list(range(len(sizes)))
    for size, _, filled in batches:
        assert len(filled) == 1 or len(filled) * size <= most
        assert len(filled) == min(9, len(sizes), max(1, most // size))


@pytest.mark.parametrize("most_positions", [None, 24])
def test_several_at_once_are_those_that_come_alone(most_positions):
    sizes = np.random.default_rng(0).integers(1, 20, 23)
    options = {"shortest": 4, "most_positions": most_positions}
    alone = list(padded_batches(sizes, 3, **options))
    left = iter(alone)
    for size, rows, filled in padded_batches(sizes, 3, at_once=2, **options):
        parts = [next(left) for _ in range(-(-len(rows) // (len(filled) // 2)))]
        assert {one.size for one in parts} == {size}
        np.testing.assert_array_equal(rows, np.concatenate([one.rows for one in parts]))
        assert {len(one.filled) for one in parts} == {len(filled) // 2}
    assert next(left, None) is None

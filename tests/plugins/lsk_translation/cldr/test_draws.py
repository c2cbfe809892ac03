import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsk_translation.cldr.draws import (
    integer,
    one_of,
    preferred_index,
    weighted,
    words,
)


@pytest.mark.parametrize(
    ("draw", "count", "index"),
    [
        (0.0, 1, 0),
        (0.99, 1, 0),
        (0.69, 3, 0),
        (0.71, 3, 1),
        (0.9, 3, 1),
        (0.92, 3, 2),
        (0.999, 3, 2),
    ],
)
def test_preferred_index(draw, count, index):
    assert preferred_index(draw, count) == index


@given(st.integers(-50, 50), st.integers(0, 100), st.integers(0, 2**32))
def test_integer_stays_in_its_range(low, more, seed):
    assert low <= integer(random.Random(seed), low, low + more) <= low + more


def test_weighted():
    rng = random.Random(0)
    draws = [weighted(rng, (1, 0, 3)) for _ in range(4000)]
    assert draws.count(1) == 0
    assert draws.count(2) == pytest.approx(3000, abs=130)


def test_one_of():
    slot = one_of((1, lambda rng: {"": ("a", "a")}), (0, lambda rng: {"": ("b", "b")}))
    rng = random.Random(0)
    assert {slot(rng)[""][0] for _ in range(50)} == {"a"}


def test_words():
    assert words(42) == ("forty-two", "zweiundvierzig")

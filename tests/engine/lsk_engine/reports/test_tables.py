import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsk_engine.reports.tables import Cell, Column, Table, Value, decimals, number, with_interval


def texts(*columns):
    return [[cell.text for cell in row] for row in Table("", columns).rows()]


def test_a_column_has_equally_many_decimals_in_every_row():
    scores = Column("BLEU", [Value(63.21, 61.1, 65.44), Value(9.876), Value(math.nan)], "more")
    errors = Column("ECE", [Value(0.1612), Value(0.02), Value(0.0)], "less")
    assert texts(scores, errors) == [
        ["63.2 [61.1, 65.4]", "0.1612"],
        ["9.9", "0.0200"],
        ["–", "0.0000"],
    ]


def test_headings_have_an_arrow_to_the_better_side():
    columns = [Column("run", ["a"]), Column("BLEU", [Value(1.0)], "more")]
    columns += [Column("ECE", [Value(0.1)], "less"), Column("T", [Value(1.5)])]
    assert Table("", columns).headings() == [
        ("run", False),
        ("BLEU ↑", True),
        ("ECE ↓", True),
        ("T", True),
    ]


def test_cells_are_sorted_by_number():
    column = Column("", [Value(1234.5), Value(-2.0), Value(math.nan), "text", Cell("α", 0.1)])
    sorts = [row[0].sort for row in Table("", [column]).rows()]
    assert sorts == [1234.5, -2.0, None, None, 0.1]


def test_differences_have_signs():
    column = Column("", [Value(-0.5, -1.0, 0.25), Value(0.5)], signed=True)
    assert texts(column) == [["−0.50 [−1.00, +0.25]"], ["+0.50"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.inf, "∞"), (-math.inf, "−∞"), (1e300, "1.000e+300"), (0.0, "0.0"), (-1e4, "−10,000.0")],
)
def test_huge_and_infinite_numbers_are_shown(value, text):
    assert number(value, 1) == text


@given(st.lists(st.floats(-1e8, 1e8), min_size=1), st.booleans())
def test_numbers_have_at_most_four_decimals(values, intervals):
    digits = decimals(values, intervals=intervals)
    assert 0 <= digits <= 4
    for value in values:
        shown = number(value, digits).replace("−", "-").replace(",", "")
        assert abs(float(shown) - value) <= 0.5 * 10**-digits * (1 + 1e-6)


@given(st.floats(allow_nan=False), st.floats(), st.floats())
def test_an_interval_is_shown_if_both_ends_are_known(value, low, high):
    text = with_interval(Value(value, low, high), 2)
    has = not (math.isnan(low) or math.isnan(high))
    assert bool(re.fullmatch(r"\S+ \[\S+, \S+\]", text)) == has

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsk_engine.reports import charts
from lsk_engine.reports.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    LOOKS,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Reference,
    Series,
    tick_label,
    tick_values,
)

values = st.floats(allow_nan=False, allow_infinity=False)
points = st.lists(st.tuples(values, values), min_size=1, max_size=6)
UNIT = ((0.0, 1.0), (0.0, 1.0))


def chart(*series, **more):
    return Chart("Loss", "step", "nats", series, **more)


def test_positions_match_a_hand_computed_example():
    limits = (0.0, 10.0), (0.0, 1.0)
    one = Series("a", [(0.0, 0.0), (5.0, 0.5), (10.0, 1.0)], look=1)
    (drawn,) = chart(one, limits=limits).paths()
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    middle = (left + right) / 2, (top + bottom) / 2
    corners = ((left, bottom), middle, (right, top))
    assert drawn.markers == [(x, y, False) for x, y in corners]
    assert drawn.line == f"M{left} {bottom}L{middle[0]:g} {middle[1]:g}L{right} {top}"
    ticks = chart(one, limits=limits).x_ticks()
    assert [label for _, label in ticks] == ["0", "2", "4", "6", "8", "10"]


@given(st.lists(points, min_size=1, max_size=3))
def test_every_point_and_tick_lies_inside_the_axes(many):
    shown = chart(*(Series("", of_series) for of_series in many))
    for drawn in shown.paths():
        for x, y, _ in drawn.markers:
            assert LEFT <= x <= WIDTH - RIGHT
            assert TOP <= y <= HEIGHT - BOTTOM
    for at, _ in shown.y_ticks():
        assert TOP - 1 <= at <= HEIGHT - BOTTOM + 1


def test_limits_are_computed_once_for_each_axis(monkeypatch):
    """Computed for each point, they made a page about 162 runs take minutes."""
    calls = []
    monkeypatch.setattr(charts, "_span", lambda values: calls.append(1) or (0.0, max(values)))
    chart(Series("a", [(float(i), float(i)) for i in range(50)])).paths()
    assert len(calls) == 2


def test_long_lines_are_thinned_and_keep_their_last_point():
    long = Series("", [(float(i), 0.0) for i in range(100_001)], [(-1.0, 1.0)] * 100_001)
    (drawn,) = chart(long).paths()
    assert 200 < drawn.line.count("L") < 400
    assert drawn.line.split("L")[-1].startswith(f"{WIDTH - RIGHT} ")
    assert drawn.band.count("L") == 2 * drawn.line.count("L") + 1


@given(st.floats(-1e90, 1e90), st.floats(1e-3, 1e90))
def test_ticks_are_a_few_round_numbers_in_order(low, width):
    if low + width - low < 1e-6 * abs(low):
        return
    found = tick_values(low, low + width, 5)
    assert 2 <= len(found) <= 7
    assert found == sorted(set(found))
    assert all(low - 1e-6 * width <= v <= low + width * (1 + 1e-6) for v in found)


@pytest.mark.parametrize(
    ("value", "label"), [(0.0, "0"), (-3.0, "-3"), (1e6, "1,000,000"), (0.125, "0.125")]
)
def test_tick_labels_are_short(value, label):
    assert tick_label(value) == label


def test_intervals_are_a_band_or_bars():
    two = Series("", [(0.0, 1.0), (1.0, 2.0)], [(0.5, 1.5), (1.5, 2.5)])
    one = Series("", [(0.0, 1.0)], [(0.5, 1.5)])
    band, bar = chart(two, one).paths()
    assert (band.band.count("L"), band.bars) == (3, [])
    assert (bar.band, len(bar.bars)) == ("", 1)
    assert len(chart(two, bars=True).paths()[0].bars) == 2


def test_histogram_columns_stand_on_the_axis():
    one = Series("", [(0.5, 0.5)], columns=[(0.0, 0.5, 0.0), (0.5, 1.0, 1.0)])
    empty, full = chart(one, limits=UNIT).paths()[0].columns
    bottom, right, middle = HEIGHT - BOTTOM, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2
    assert empty == f"M{LEFT} {bottom}V{bottom}H{middle:g}V{bottom}Z"
    assert full == f"M{middle:g} {bottom}V{TOP}H{right}V{bottom}Z"


def test_the_legend_lists_each_look_once():
    many = [Series(f"run {i // 2}", [(0.0, 1.0)], look=i // 2) for i in range(2 * LOOKS)]
    assert chart(*many).legend() == [(look, f"run {look}") for look in range(LOOKS)]


def test_the_alternative_text_describes_six_series():
    series = [Series(f"run {i}", [(0.0, 2.0), (10.0, 0.5)]) for i in range(8)]
    text = chart(*series).text()
    assert text.startswith("Loss. nats against step. run 0: 2 at 0 to 0.5 at 10; run 1:")
    assert text.endswith("and 2 more.")


def test_horizontal_references_span_the_chart():
    level = Reference("log 2", ((math.nan, 0.7), (math.nan, 0.7)))
    shown = chart(Series("", [(5.0, 1.0), (6.0, 2.0)]), references=[level])
    (path,) = shown.reference_paths()
    y = shown.y(0.7)
    assert path == f"M{LEFT} {y:g}L{WIDTH - RIGHT} {y:g}"
    assert y <= HEIGHT - BOTTOM

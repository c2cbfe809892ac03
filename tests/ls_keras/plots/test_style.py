import csv
import json

import matplotlib
import pytest

from ls_base.errors import InputError
from ls_keras.calibration import curve_of_statistics
from ls_keras.plots import reliability_diagram, save, style

ROWS = [{"x": 1, "y": 0.5}, {"x": 2, "y": None}]


def draw():
    figure = style.new_figure(2, 2)
    figure.subplots().plot([0, 1], [0, 1])
    return figure


@pytest.fixture
def figure():
    return draw()


def test_rows_are_saved_as_image_json_and_table(figure, tmp_path):
    paths = save(figure, tmp_path / "deep" / "figure", ROWS)
    assert sorted(p.name for p in paths) == ["figure.csv", "figure.json", "figure.png"]
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == [p.name for p in sorted(paths)]
    assert (tmp_path / "deep/figure.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "deep/figure.json").read_text()) == ROWS
    table = list(csv.DictReader((tmp_path / "deep/figure.csv").read_text().splitlines()))
    assert table == [{"x": "1", "y": "0.5"}, {"x": "2", "y": ""}]


def test_a_mapping_is_saved_without_a_table(figure, tmp_path):
    paths = save(figure, tmp_path / "figure.png", {"a": [1, 2]})
    assert sorted(p.name for p in paths) == ["figure.json", "figure.png"]


def test_the_same_drawing_gives_the_same_bytes(tmp_path):
    save(draw(), tmp_path / "a.png", {})
    save(draw(), tmp_path / "b.png", {})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_ragged_rows_are_refused_before_anything_is_written(figure, tmp_path):
    with pytest.raises(InputError, match="keys x, y"):
        save(figure, tmp_path / "figure.png", [*ROWS, {"x": 3}])
    assert list(tmp_path.iterdir()) == []


def test_series_differ_in_color_marker_and_line():
    assert len(set(style.COLORS)) == len(set(style.MARKERS)) == len(set(style.LINE_STYLES)) == 7
    first, second, *_ = zip(style.looks(), range(8), strict=False)
    assert all(a != b for a, b in zip(first[0], second[0], strict=True))


def test_drawing_leaves_global_state_alone(tmp_path):
    from matplotlib import pyplot

    def state():
        return pyplot.get_fignums(), matplotlib.get_backend(), dict(matplotlib.rcParams)

    before = state()
    figure = reliability_diagram(curve_of_statistics([0.6, 0.8], [1, 0]))
    save(figure, tmp_path / "figure.png", {})
    assert state() == before

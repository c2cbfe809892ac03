import csv
import json
import math
from xml.etree import ElementTree

import matplotlib
import pytest

from ls_base.errors import InputError
from ls_keras.calibration import curve_of_statistics
from ls_keras.plots import (
    beam_panels,
    mean_logits_map,
    mean_logits_rows,
    reliability_diagram,
    reliability_rows,
    save,
    save_plot,
    style,
)
from ls_keras.representation import mean_logits

SVG = "http://www.w3.org/2000/svg"
ROWS = [{"x": 1, "y": 0.5}, {"x": 2, "y": None}]


def draw():
    figure = style.new_figure(2, 2)
    figure.subplots().plot([0, 1], [0, 1])
    return figure


@pytest.fixture
def figure():
    return draw()


def test_rows_are_saved_as_images_json_and_csv(figure, tmp_path):
    paths = save(figure, tmp_path / "deep" / "figure", ROWS)
    assert sorted(p.name for p in paths) == [
        f"figure.{kind}" for kind in ("csv", "json", "png", "svg")
    ]
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == [p.name for p in sorted(paths)]
    assert (tmp_path / "deep/figure.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "deep/figure.json").read_text()) == ROWS
    table = list(csv.DictReader((tmp_path / "deep/figure.csv").read_text().splitlines()))
    assert table == [{"x": "1", "y": "0.5"}, {"x": "2", "y": ""}]


def test_file_names_with_decimals_are_kept(figure, tmp_path):
    for name in ("alpha-0.1", "alpha-0.15.svg"):
        save(figure, tmp_path / name, {"name": name})
    assert sorted(p.stem for p in tmp_path.glob("*.json")) == ["alpha-0.1", "alpha-0.15"]
    assert len(list(tmp_path.iterdir())) == 6


def test_text_in_svg_is_text(tmp_path):
    save(reliability_diagram(CURVE, title="Digits"), tmp_path / "figure.png", {})
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()
    texts = [text for node in root.iter(f"{{{SVG}}}text") for text in node.itertext()]
    assert "Digits" in texts


def test_a_mapping_is_saved_without_csv(figure, tmp_path):
    paths = save(figure, tmp_path / "figure.png", {"a": [1, 2]})
    assert sorted(p.name for p in paths) == ["figure.json", "figure.png", "figure.svg"]


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    save(draw(), tmp_path / "a.png", {})
    save(draw(), tmp_path / "b.png", {})
    for suffix in (".png", ".svg"):
        first, second = (tmp_path / f"{name}{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_rows_with_different_keys_write_nothing(figure, tmp_path):
    with pytest.raises(InputError, match="keys x, y"):
        save(figure, tmp_path / "figure.png", [*ROWS, {"x": 3}])
    assert list(tmp_path.iterdir()) == []


def test_drawing_does_not_change_global_state(tmp_path):
    from matplotlib import pyplot

    def state():
        return pyplot.get_fignums(), matplotlib.get_backend(), dict(matplotlib.rcParams)

    before = state()
    figure = reliability_diagram(curve_of_statistics([0.6, 0.8], [1, 0]))
    save(figure, tmp_path / "figure.png", {})
    assert state() == before


CURVE = curve_of_statistics([0.6, 0.8], [1, 0])
MEANS = mean_logits([0, 1], [[1.0, 0.0], [0.0, 2.0]])
NAMES = ["cat", "dog"]
BEAMS = [{"name": "a", "beam_size": b, "wer": 5.0 + b} for b in (1, 4)]


@pytest.mark.parametrize(
    ("draw", "data", "options", "rows"),
    [
        (reliability_diagram, CURVE, {}, reliability_rows(CURVE)),
        (beam_panels, BEAMS, {"scores": ["wer"], "labels": {"wer": "WER"}}, BEAMS),
        (mean_logits_map, MEANS, {"class_names": NAMES}, mean_logits_rows(MEANS, NAMES)),
    ],
)
def test_plots_are_saved_with_their_numbers(draw, data, options, rows, tmp_path):
    paths = save_plot(draw, data, tmp_path / "a.png", title="Title", **options)
    expected = save(draw(data, title="Title", **options), tmp_path / "b.png", rows)
    assert [path.suffix for path in paths] == [".png", ".svg", ".json", ".csv"]
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in expected]


def test_missing_keys_are_filled_before_saving(tmp_path):
    known = {"beam_size": 4, "name": "a", "wer": 9.0, "wer_low": 8.0, "wer_high": 10.0}
    save_plot(beam_panels, [BEAMS[0], known], tmp_path / "a.png", scores=["wer"])
    table = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [row["wer_low"] for row in table] == ["", "8.0"]
    assert [row["beam_size"] for row in table] == ["1", "4"]
    (first, second) = json.loads((tmp_path / "a.json").read_text())
    assert list(first) == list(second) == ["name", "beam_size", "wer", "wer_low", "wer_high"]
    assert (first["wer_low"], second) == (None, known)


def test_nan_and_infinity_are_null(figure, tmp_path):
    """JSON has no NaN; a table has nothing there, as of None."""
    save(figure, tmp_path / "a.png", [{"x": 1, "y": math.nan}, {"x": 2.5, "y": -math.inf}])
    rows = [{"x": 1, "y": None}, {"x": 2.5, "y": None}]
    assert json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail) == rows
    assert (tmp_path / "a.csv").read_text() == "x,y\n1,\n2.5,\n"
    save(figure, tmp_path / "b.png", {"curve": {"y": [0.5, math.nan]}})
    found = json.loads((tmp_path / "b.json").read_text(), parse_constant=pytest.fail)
    assert found == {"curve": {"y": [0.5, None]}}


def test_unsupported_values_raise_input_errors(figure, tmp_path):
    endless: dict = {}
    endless["self"] = endless
    for data in ({"x": {1, 2}}, endless):
        with pytest.raises(InputError, match="Expected data that JSON supports"):
            save(figure, tmp_path / "a.png", data)
    assert list(tmp_path.iterdir()) == []


def test_the_order_of_keys_does_not_matter(figure, tmp_path):
    save(figure, tmp_path / "a.png", [{"x": 1, "y": 2}, {"y": 4, "x": 3}])
    assert (tmp_path / "a.csv").read_text() == "x,y\n1,2\n3,4\n"


def test_other_drawing_functions_raise_input_errors(tmp_path):
    with pytest.raises(InputError, match="Expected one of attention_map, .* Received: 'draw'"):
        save_plot(draw, [], tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []

import math

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_keras.plots import information_curve, information_rows


def history(values, num_examples=600):
    return [
        {
            "step": 10 * i,
            "mutual_information": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "num_examples": num_examples,
        }
        for i, value in enumerate(values)
    ]


def test_curves_bands_and_reference_lines():
    hard, smoothed = history([0.1, 2.0, 1.5]), history([0.1, 1.0, 0.7])
    figure = information_curve({"α = 0": hard, "α = 0.1": smoothed})
    (ax,) = figure.axes
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 0.1], [10, 2.0], [20, 1.5]])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.1, 1.0, 0.7])
    levels = [line.get_ydata()[0] for line in ax.lines[2:]]
    np.testing.assert_allclose(levels, [math.log(2), math.log(600)])
    assert [text.get_text() for text in ax.texts] == ["log 2", "log N = log 600"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["α = 0", "α = 0.1"]
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(2.1)
    assert ax.get_ylim()[1] > math.log(600)
    assert ax.get_ylabel() == "Mutual information (nats)"
    assert ax.lines[0].get_color() != ax.lines[1].get_color()


def test_a_distant_log_n_compresses_the_axis():
    """Its line is in the compressed part of the axis; below, the scale is linear."""
    (ax,) = information_curve(history([0.2, 1.0])).axes

    def place(y):
        return ax.transAxes.inverted().transform(ax.transData.transform((0, y)))[1]

    assert 0.65 < place(1.1) < 0.8
    assert 0.9 < place(math.log(600)) < 1
    assert place(1.0) - place(0.5) == pytest.approx(place(0.5) - place(0.0))
    assert place(6.0) - place(5.0) < 0.1 * (place(1.0) - place(0.0))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "0"
    assert labels[-1] == "6.4"
    assert float(labels[-2]) <= 1.21


def test_negative_values_are_visible_and_one_curve_has_no_legend():
    entries = [{k: v for k, v in e.items() if k != "num_examples"} for e in history([-0.2, 0.1])]
    (ax,) = information_curve(entries, num_examples=20, title=None).axes
    assert ax.get_ylim()[0] < -0.3
    assert ax.get_legend() is None
    assert ax.texts[1].get_text() == "log N = log 20"


def test_given_axes_are_used_without_global_state():
    before = dict(matplotlib.rcParams)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert information_curve(history([0.5]), ax=left) is figure
    assert left.lines
    assert not right.lines
    assert dict(matplotlib.rcParams) == before


def test_rows_have_the_numbers():
    rows = information_rows({"a": history([0.1, 0.2]), "b": history([0.3])})
    assert [(r["curve"], r["step"], r["mutual_information"]) for r in rows] == [
        ("a", 0, 0.1),
        ("a", 10, 0.2),
        ("b", 0, 0.3),
    ]


@pytest.mark.parametrize("histories", [{}, [], {"a": []}, [{"step": 1}], {"a": 3}])
def test_wrong_histories_raise_input_errors(histories):
    with pytest.raises(InputError, match="history"):
        information_curve(histories)

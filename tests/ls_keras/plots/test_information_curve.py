import math

import numpy as np
import pytest

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


def test_a_distant_log_n_is_named_without_a_line():
    (ax,) = information_curve(history([0.2, 1.0])).axes
    assert [text.get_text() for text in ax.texts] == ["log 2", "log N = log 600 = 6.40: above"]
    assert ax.get_ylim()[1] < 1.5


def test_negative_values_are_visible_and_one_curve_has_no_legend():
    (ax,) = information_curve(history([-0.2, 0.9], 9), title=None).axes
    assert ax.get_ylim()[0] < -0.3
    assert ax.get_legend() is None
    assert ax.texts[1].get_text() == "log N = log 9"


def test_rows_have_the_numbers():
    rows = information_rows({"a": history([0.1, 0.2]), "b": history([0.3])})
    assert [(r["curve"], r["step"], r["mutual_information"]) for r in rows] == [
        ("a", 0, 0.1),
        ("a", 10, 0.2),
        ("b", 0, 0.3),
    ]


@pytest.mark.parametrize("histories", [{}, [], {"a": []}, [{"step": 1}], {"a": 3}])
def test_wrong_histories_raise_input_errors(histories):
    with pytest.raises(InputError, match="histor|rows"):
        information_curve(histories)

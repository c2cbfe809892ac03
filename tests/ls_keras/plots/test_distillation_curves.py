import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.plots import distillation_curves, distillation_points


def rows_of(curve, settings, seeds=(0, 1, 2)):
    return [
        {
            "curve": curve,
            "alpha": alpha,
            "temperature": temperature,
            "seed": seed,
            "gamma": gamma + 0.01 * seed,
            "error": error + seed,
        }
        for seed in seeds
        for alpha, temperature, gamma, error in settings
    ]


ROWS = [
    *rows_of("student of hard teacher", [(0.0, 4.0, 0.6, 3.0), (0.0, 1.0, 0.1, 5.0)]),
    *rows_of("teacher", [(0.0, 1.0, 0.0, 2.0)]),
]


def test_seeds_are_summarized_and_points_sorted_by_gamma():
    points = distillation_points(ROWS, score="error")
    assert [(p["curve"], p["temperature"]) for p in points] == [
        ("teacher", 1.0),
        ("student of hard teacher", 1.0),
        ("student of hard teacher", 4.0),
    ]
    assert points[1]["gamma"] == pytest.approx(0.11)
    assert (points[1]["mean"], points[1]["min"], points[1]["max"]) == (6.0, 5.0, 7.0)
    assert points[1]["seeds"] == 3


def test_curves_show_means_and_bars_show_extremes():
    figure = distillation_curves(ROWS, score="error", label="error (%)", title="T")
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Equivalent smoothing γ", "error (%)")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [
        "teacher, α = 0",
        "student of hard teacher, T = 1 … 4",
        "minimum to maximum of 3 seeds",
    ]
    line, _, (bars,) = ax.containers[1].lines
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [0.11, 0.61])
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), [6.0, 4.0])
    ends = [np.asarray(s, float)[:, 1] for s in bars.get_segments()]
    np.testing.assert_allclose(ends, [(5, 7), (3, 5)])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "Received: no rows"),
        ([{"curve": "teacher", "alpha": 0.0}], "keys error, gamma, temperature"),
        ([ROWS[0] | {"curve": "students"}], "Expected curves of teacher.*Received: 'students'"),
    ],
)
def test_wrong_rows_raise_input_errors(rows, message):
    with pytest.raises(InputError, match=message):
        distillation_points(rows, score="error")

import numpy as np
import pytest
from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_keras.plots import AttentionMap, attention_map, attention_rows

WEIGHTS = np.array([[0.7, 0.3, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0], [0.0, 0.0, 0.0, 1.0]])
FOUND = AttentionMap(WEIGHTS, ["go", "on", "<end>"], 0.5)


def test_axes_show_time_and_tokens():
    figure = attention_map({"first": FOUND, "second": FOUND, "third": FOUND})
    shown = [ax for ax in figure.axes if ax.images and ax.get_xlabel()]
    assert [ax.get_title() for ax in shown] == ["first", "second", "third"]
    ax = shown[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), WEIGHTS)
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.get_xlim() == (0, 2)
    assert ax.get_ylim() == (2.5, -0.5)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["go", "on", "<end>"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "token")
    assert "attention" in figure.axes[-1].get_ylabel()


def test_given_axes_are_used():
    figure = Figure()
    assert attention_map(FOUND, axes=[figure.add_subplot()], title=None) is figure
    with pytest.raises(InputError, match="2 axes"):
        attention_map({"a": FOUND, "b": FOUND}, axes=[figure.add_subplot()])


def test_rows_have_the_numbers():
    rows = attention_rows(FOUND)
    assert len(rows) == 12
    assert rows[6] == {"map": "", "position": 1, "token": "on", "start": 1.0, "weight": 0.75}


@pytest.mark.parametrize("maps", [{}, None, {"a": 1}, WEIGHTS])
def test_other_objects_raise_input_errors(maps):
    with pytest.raises(InputError, match="Expected an AttentionMap"):
        attention_map(maps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((WEIGHTS, ["go"], 0.5), r"shape \(3, 4\) and 1 tokens"),
        ((WEIGHTS[0], ["go"], 0.5), r"Received: shape \(4,\)"),
        ((WEIGHTS, FOUND.tokens, 0.0), "above 0. Received: 0.0"),
    ],
)
def test_wrong_maps_raise_input_errors(arguments, message):
    with pytest.raises(InputError, match=message):
        AttentionMap(*arguments)

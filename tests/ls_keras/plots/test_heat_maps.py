import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.plots import (
    AttentionMap,
    attention_map,
    attention_rows,
    mean_logits_map,
    mean_logits_rows,
)
from ls_keras.representation import MeanLogits

WEIGHTS = np.array([[0.7, 0.3, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0], [0.0, 0.0, 0.0, 1.0]])
ATTENTION = AttentionMap(WEIGHTS, ["go", "on", "<end>"], 0.5)


def test_axes_show_time_and_tokens():
    figure = attention_map({"first": ATTENTION, "second": ATTENTION, "third": ATTENTION})
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


def test_attention_rows_have_the_numbers():
    rows = attention_rows(ATTENTION)
    assert len(rows) == 12
    assert rows[6] == {"map": "", "position": 1, "token": "on", "start": 1.0, "weight": 0.75}


@pytest.mark.parametrize("maps", [{}, None, {"a": 1}, WEIGHTS])
def test_other_objects_than_attention_raise_input_errors(maps):
    with pytest.raises(InputError, match="Expected AttentionMap"):
        attention_map(maps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((WEIGHTS, ["go"], 0.5), r"weights of shape \(3, 4\) and tokens \['go'\]"),
        ((WEIGHTS[0], ["go"], 0.5), r"Received: weights of shape \(4,\)"),
        ((WEIGHTS * np.nan, ATTENTION.tokens, 0.5), "Expected finite weights"),
        ((WEIGHTS, ATTENTION.tokens, 0.0), "above 0. Received: 0.0"),
    ],
)
def test_wrong_maps_raise_input_errors(arguments, message):
    with pytest.raises(InputError, match=message):
        AttentionMap(*arguments)


MATRIX = np.array([[9.0, -2.0, 1.0], [-3.0, 8.0, 0.5], [np.nan] * 3])
FOUND = MeanLogits((0, 2, 5), MATRIX, np.array([4, 6, 0]))
NAMES = ["cat", "", "dog", "", "", "bird"]


def test_cells_scale_and_labels():
    other = MeanLogits((0, 2, 5), MATRIX / 10, np.array([4, 6, 1]))
    figure = mean_logits_map({"hard": FOUND, "smoothed": other}, class_names=NAMES)
    hard, smoothed, bar = figure.axes
    assert [ax.get_title() for ax in (hard, smoothed)] == ["hard", "smoothed"]
    image = hard.images[0]
    shown = image.get_array()
    assert np.ma.getmaskarray(shown)[np.eye(3, dtype=bool)].all()  # the diagonal is grey
    np.testing.assert_array_equal(shown[0, 1:], [-2, 1])
    assert image.get_clim() == smoothed.images[0].get_clim() == (-3, 3)
    assert [t.get_text() for t in hard.get_xticklabels()] == ["cat", "dog", "bird"]
    assert [t.get_text() for t in hard.texts] == ["9.0", "-2.0", "1.0", "-3.0", "8.0", "0.5"]
    assert "mean" in bar.get_xlabel()


def test_many_classes_have_no_numbers_and_fewer_names(rng):
    size = 50
    found = MeanLogits(tuple(range(size)), rng.normal(size=(size, size)), np.ones(size, int))
    ax = mean_logits_map(found).axes[0]
    assert not ax.texts
    assert [t.get_text() for t in ax.get_yticklabels()] == [str(n) for n in range(0, 50, 4)]


def test_mean_logits_rows_have_the_numbers():
    rows = mean_logits_rows(FOUND, NAMES)
    assert len(rows) == 9
    assert rows[1] == {"map": "", "class": "cat", "logit": "dog", "mean": -2.0, "count": 4}
    assert [row["mean"] for row in rows[6:]] == [None] * 3


@pytest.mark.parametrize("maps", [{}, None, {"a": 1}, MATRIX])
def test_other_objects_than_mean_logits_raise_input_errors(maps):
    with pytest.raises(InputError, match="MeanLogits"):
        mean_logits_map(maps)

import numpy as np
import pytest
from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_keras.plots import mean_logits_map, mean_logits_rows
from ls_keras.representation import MeanLogits

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
    figure = Figure()
    ax = figure.add_subplot()
    assert mean_logits_map(found, axes=[ax]) is figure
    assert not ax.texts
    assert [t.get_text() for t in ax.get_yticklabels()] == [str(n) for n in range(0, 50, 4)]


def test_rows_have_the_numbers():
    rows = mean_logits_rows(FOUND, NAMES)
    assert len(rows) == 9
    assert rows[1] == {"map": "", "class": "cat", "logit": "dog", "mean": -2.0, "count": 4}
    assert [row["mean"] for row in rows[6:]] == [None] * 3


@pytest.mark.parametrize("maps", [{}, None, {"a": 1}, MATRIX])
def test_other_objects_raise_input_errors(maps):
    with pytest.raises(InputError, match="MeanLogits"):
        mean_logits_map(maps)


def test_axes_are_counted():
    with pytest.raises(InputError, match="2 axes"):
        mean_logits_map({"a": FOUND, "b": FOUND}, axes=[Figure().add_subplot()])

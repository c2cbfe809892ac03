import math

import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.plots import learning_curves, learning_rows

ROWS = [
    {"step": 20, "epoch": 2, "loss": 1.0, "val_loss": 1.2, "val_nll": 1.1, "val_ece": 0.1},
    {"step": 10, "epoch": 1, "loss": 2.0, "val_loss": None, "val_nll": None},
    {"step": 30, "epoch": 3, "loss": 0.5, "val_loss": 0.9, "val_nll": 1.3, "val_ece": 0.2},
]


def lines_of(ax):
    return {line.get_label(): np.asarray(line.get_xydata(), float) for line in ax.lines}


def test_each_quantity_has_a_panel_without_missing_points():
    labels = {"loss": "loss", "none": "not measured", "nll": "NLL (nats)"}
    figure = learning_curves(ROWS, labels=labels, title="T")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["loss", "NLL (nats)", "ece"]
    turned = learning_curves(ROWS, labels={"ece": "ECE"}).axes
    assert [ax.get_title(loc="left") for ax in turned] == ["ECE", "loss", "nll"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "Training step", "Training step"]
    loss, nll, ece = map(lines_of, figure.axes)
    np.testing.assert_array_equal(loss["training"], [(10, 2.0), (20, 1.0), (30, 0.5)])
    np.testing.assert_array_equal(loss["validation"], [(20, 1.2), (30, 0.9)])
    assert list(nll) == list(ece) == ["validation"]
    np.testing.assert_array_equal(ece["validation"], [(20, 0.1), (30, 0.2)])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]
    assert figure.get_suptitle() == "T"


@pytest.mark.parametrize("count", [1, 3, 5])
def test_unused_panels_are_removed(count):
    rows = [{"step": step, **{f"q{n}": step * n for n in range(count)}} for step in (1, 2)]
    assert len(learning_curves(rows).axes) == count


def test_a_single_point_is_visible():
    (ax,) = learning_curves([{"step": 5, "loss": 1.0}]).axes
    assert ax.lines[0].get_marker() not in (None, "None", "")


def test_rows_are_sorted_and_have_the_same_keys():
    rows = learning_rows(ROWS)
    assert [row["step"] for row in rows] == [10, 20, 30]
    assert len({tuple(row) for row in rows}) == 1
    assert rows[0]["val_ece"] is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "Received: no rows"),
        ([{"loss": 1.0}], "keys step"),
        ([{"step": 1}], "Expected a quantity beside the step"),
        ([{"step": 1, "loss": math.nan}], "Expected .*loss.* nan"),
        ([{"step": 1, "loss": "low"}], "loss"),
        ([{"step": 1, 3: 1.0}], "names of quantities"),
    ],
)
def test_wrong_rows_raise_input_errors(rows, message):
    with pytest.raises(InputError, match=message):
        learning_curves(rows)

import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.plots import beam_panels

BEAMS = (16, 1, 4)


def rows_of(name, shift=0.0, **more):
    return [
        {"name": name, "beam_size": b, "bleu": 30 + shift + b, "ratio": 1 - b / 100}
        | {"bleu_low": 29 + b, "bleu_high": 31 + b, **more}
        for b in BEAMS
    ]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_panel_a_score_and_a_line_a_model_in_order_of_beams():
    rows = [*rows_of("hard"), *rows_of("α 0.1", 2.0)]
    figure = beam_panels(rows, scores=["bleu", "ratio"], labels={"bleu": "BLEU"})
    bleu, ratio = figure.axes
    assert [ax.get_ylabel() for ax in figure.axes] == ["BLEU", "ratio"]
    assert ratio.get_xlabel() == "Number of beams (1: greedy search)"
    for line, shift in zip(bleu.lines, (0, 2), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [1, 4, 16])
        np.testing.assert_array_equal(line.get_ydata(), [31 + shift, 34 + shift, 46 + shift])
    assert [text.get_text() for text in ratio.get_xticklabels()] == ["1", "4", "16"]
    band = bleu.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (30, 47)
    assert not ratio.collections
    assert legend(figure) == ["hard", "α 0.1", "band: 95 % interval"]


def test_ends_that_are_not_known_are_no_band():
    figure = beam_panels(rows_of("a", bleu_low=None), scores=["bleu"])
    assert legend(figure) == ["a"]
    assert not figure.axes[0].collections


@pytest.mark.parametrize(
    ("rows", "scores", "message"),
    [
        ([], ["bleu"], "Expected rows with the keys"),
        ([{"name": "a", "beam_size": 1}], ["bleu"], "Expected rows with the keys"),
        (rows_of("a"), [], "Expected names of scores"),
        (rows_of("a"), "bleu", "Expected names of scores"),
        (rows_of("a", bleu_low="a"), ["bleu"], "Expected bleu_low to be a finite number"),
        (rows_of("a", bleu_high=np.nan), ["bleu"], "Expected bleu_high to be a finite number"),
        (rows_of("a", beam_size=0), ["bleu"], "Expected a beam_size of at least 1. Received: 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows, scores, message):
    with pytest.raises(InputError, match=message):
        beam_panels(rows, scores=scores)

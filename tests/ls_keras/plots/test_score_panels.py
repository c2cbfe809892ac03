import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.plots import beam_panels, temperature_panels


def swept(run, alpha, **more):
    return [
        {"run": run, "alpha": alpha, "temperature": t, "bleu": 30 + t, "nll": 2 - t, "ece": t / 10}
        | {"bleu_low": 29 + t, "bleu_high": 31 + t, **more}
        for t in (1.2, 0.8, 1.0)
    ]


def beams(name, shift=0.0, **more):
    return [
        {"name": name, "beam_size": b, "bleu": 30 + shift + b, "ratio": 1 - b / 100}
        | {"bleu_low": 29 + b, "bleu_high": 31 + b, **more}
        for b in (16, 1, 4)
    ]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_temperature_lines_are_sorted_by_temperature_and_alpha():
    rows = [*swept("b", 0.1), *swept("a", 0.0)]
    figure = temperature_panels(rows, score="bleu", labels={"bleu": "BLEU"})
    score, ece, nll = figure.axes
    assert [ax.get_ylabel() for ax in figure.axes] == ["BLEU", "ECE", "NLL (nats per label)"]
    assert nll.get_xlabel() == "Temperature T"
    values = {score: [30.8, 31, 31.2], ece: [0.08, 0.1, 0.12], nll: [1.2, 1, 0.8]}
    for ax, expected in values.items():
        for line in ax.lines[:2]:
            np.testing.assert_allclose(line.get_xdata(), [0.8, 1.0, 1.2])
            np.testing.assert_allclose(line.get_ydata(), expected)
    assert ece.get_ylim()[0] == 0
    band = score.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((29.8, 32.2))
    assert not ece.collections
    assert legend(figure) == ["α = 0", "α = 0.1", "band: 95 % interval"]


def test_beam_lines_are_sorted_by_beams():
    rows = [*beams("hard"), *beams("α 0.1", 2.0)]
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


def test_unknown_ends_draw_no_band():
    without = [{k: v for k, v in row.items() if "_" not in k} for row in swept("a", 0.1)]
    figures = {
        "α = 0.1": temperature_panels(without, score="bleu"),
        "a": beam_panels(beams("a", bleu_low=None), scores=["bleu"]),
    }
    for name, figure in figures.items():
        assert legend(figure) == [name]
        assert not figure.axes[0].collections


def test_runs_of_one_alpha_have_their_folder_in_the_legend():
    figure = temperature_panels([*swept("x/a", 0.1), *swept("x/b", 0.1)], score="bleu")
    assert legend(figure)[:2] == ["α = 0.1 (a)", "α = 0.1 (b)"]


@pytest.mark.parametrize(
    ("score", "names"),
    [("bleu", ["BLEU", "ECE", "Nats"]), ("nll", ["Nats", "ECE"]), ("ece", ["ECE", "Nats"])],
)
def test_each_score_has_one_panel_with_its_label(score, names):
    labels = {"nll": "Nats", "bleu": "BLEU"}
    axes = temperature_panels(swept("a", 0.1), score=score, labels=labels).axes
    assert [ax.get_ylabel() for ax in axes] == names
    assert axes[names.index("ECE")].get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "Expected rows with the keys"),
        ([{"run": "a", "alpha": 0.0}], "Expected rows with the keys"),
        (swept("a", 0.1, ece_low="a"), "Expected ece_low to be a finite number"),
        (swept("a", 0.1, bleu_high=np.nan), "Expected bleu_high to be a finite number"),
    ],
)
def test_wrong_rows_of_temperatures_raise_input_errors(rows, message):
    with pytest.raises(InputError, match=message):
        temperature_panels(rows, score="bleu")


@pytest.mark.parametrize(
    ("rows", "scores", "message"),
    [
        ([{"name": "a", "beam_size": 1}], ["bleu"], "Expected rows with the keys"),
        (beams("a"), [], "Expected names of scores"),
        (beams("a"), "bleu", "Expected names of scores"),
        (beams("a", bleu_low="a"), ["bleu"], "Expected bleu_low to be a finite number"),
        (beams("a", beam_size=0), ["bleu"], "Expected a beam_size of at least 1. Received: 0"),
    ],
)
def test_wrong_rows_of_beams_raise_input_errors(rows, scores, message):
    with pytest.raises(InputError, match=message):
        beam_panels(rows, scores=scores)

import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.plots import temperature_panels


def rows_of(run, alpha, temperatures=(1.2, 0.8, 1.0)):
    return [
        {
            "run": run,
            "alpha": alpha,
            "temperature": t,
            "bleu": 30 + t,
            "bleu_low": 29 + t,
            "bleu_high": 31 + t,
            "nll": 2 - t,
            "ece": t / 10,
        }
        for t in temperatures
    ]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_curves_hold_the_rows_in_order_of_temperature_and_of_alpha():
    figure = temperature_panels(
        [*rows_of("b", 0.1), *rows_of("a", 0.0)], score="bleu", labels={"bleu": "BLEU"}
    )
    score, ece, nll = figure.axes
    assert [ax.get_ylabel() for ax in figure.axes] == ["BLEU", "ECE", "NLL (nats a label)"]
    assert nll.get_xlabel() == "Temperature T"
    values = {score: [30.8, 31, 31.2], ece: [0.08, 0.1, 0.12], nll: [1.2, 1, 0.8]}
    for ax, expected in values.items():
        for line in ax.lines[:2]:
            np.testing.assert_allclose(line.get_xdata(), [0.8, 1.0, 1.2])
            np.testing.assert_allclose(line.get_ydata(), expected)
    assert ece.get_ylim()[0] == 0
    band = score.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(29.8)
    assert band[:, 1].max() == pytest.approx(32.2)
    assert not ece.collections
    assert legend(figure) == ["α = 0", "α = 0.1", "band: 95 % interval"]


def test_without_intervals_there_is_no_band():
    rows = [{k: v for k, v in row.items() if "_" not in k} for row in rows_of("a", 0.1)]
    figure = temperature_panels(rows, score="bleu")
    assert legend(figure) == ["α = 0.1"]
    assert not figure.axes[0].collections


def test_runs_of_one_alpha_are_told_apart():
    figure = temperature_panels([*rows_of("x/a", 0.1), *rows_of("x/b", 0.1)], score="bleu")
    assert legend(figure)[:2] == ["α = 0.1 (a)", "α = 0.1 (b)"]


def test_every_key_has_its_label_and_every_score_a_panel():
    rows, labels = rows_of("a", 0.1), {"nll": "Nats", "bleu": "BLEU"}
    expected = {
        "bleu": ["BLEU", "ECE", "Nats"],
        "nll": ["Nats", "ECE"],
        "ece": ["ECE", "Nats"],
    }
    for score, names in expected.items():
        axes = temperature_panels(rows, score=score, labels=labels).axes
        assert [ax.get_ylabel() for ax in axes] == names
        assert axes[names.index("ECE")].get_ylim()[0] == 0


@pytest.mark.parametrize("end", ["bleu_low", "bleu_high", "ece_low"])
@pytest.mark.parametrize("value", ["a", float("nan")])
def test_ends_that_are_no_numbers_are_refused(end, value):
    rows = [row | {end: value} for row in rows_of("a", 0.1)]
    with pytest.raises(InputError, match=f"Expected {end} to be a finite number"):
        temperature_panels(rows, score="bleu")


@pytest.mark.parametrize("rows", [[], [{"run": "a", "alpha": 0.0}]])
def test_rows_that_lack_keys_are_refused(rows):
    with pytest.raises(InputError, match="Expected rows with the keys"):
        temperature_panels(rows, score="bleu")

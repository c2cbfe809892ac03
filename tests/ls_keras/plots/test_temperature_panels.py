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


def test_curves_hold_the_rows_in_order_of_temperature_and_of_alpha():
    figure = temperature_panels(
        [*rows_of("b", 0.1), *rows_of("a", 0.0)], score="bleu", labels={"bleu": "BLEU"}
    )
    first, second, likelihood, first_ece, second_ece = figure.axes
    assert [ax.get_title() for ax in figure.axes[:3]] == ["α = 0", "α = 0.1", "Likelihood"]
    for ax, values in ((first, [30.8, 31, 31.2]), (second_ece, [0.08, 0.1, 0.12])):
        np.testing.assert_allclose(ax.lines[0].get_xdata(), [0.8, 1.0, 1.2])
        np.testing.assert_allclose(ax.lines[0].get_ydata(), values)
    assert first.get_ylim() == second.get_ylim()
    assert first_ece.get_ylim() == second_ece.get_ylim()
    assert first.get_ylabel() == "BLEU"
    band = first.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(29.8)
    assert band[:, 1].max() == pytest.approx(32.2)
    assert [line.get_label() for line in likelihood.lines[:2]] == ["α = 0", "α = 0.1"]


def test_runs_of_one_alpha_are_told_apart():
    figure = temperature_panels([*rows_of("x/a", 0.1), *rows_of("x/b", 0.1)], score="bleu")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["α = 0.1 (a)", "α = 0.1 (b)"]


@pytest.mark.parametrize("rows", [[], [{"run": "a", "alpha": 0.0}]])
def test_rows_that_lack_keys_are_refused(rows):
    with pytest.raises(InputError, match="Expected rows with the keys"):
        temperature_panels(rows, score="bleu")

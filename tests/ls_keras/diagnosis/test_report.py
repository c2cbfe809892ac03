"""What a user sees: a table 80 columns wide."""

import json
import math
import re

import numpy as np
import pytest

import ls_keras
from diagnosed import predictions
from ls_base.errors import InputError
from ls_keras.diagnosis import Estimate
from ls_keras.diagnosis.text import number
from ls_keras.plots import reliability_rows, risk_coverage_rows


@pytest.fixture(scope="module")
def found():
    y, z = predictions(3000, classes=4)
    names = ["cat", "a class of a very long name, longer than the column", "dog", "frog"]
    return ls_keras.diagnose(
        y.reshape(300, 10), z.reshape(300, 10, 4), from_logits=True, class_names=names
    )


def test_the_table_is_80_columns_wide_and_ends_with_four_sentences(found):
    lines = str(found).split("\n")
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("3,000 examples in 300 groups, 4 classes ")
    assert lines[0].endswith("value  95 % interval")
    table, sentences = "\n".join(lines).split("\n\n")
    assert [" ".join(part.split()) for part in re.split(r"(?m)^- ", sentences)[1:]] == found.advice
    assert len(found.advice) == 4
    assert len(table.split("\n")) == 21


def test_rows_show_the_numbers(found):
    rows = str(found).split("\n")
    for start, estimate in (
        ("accuracy", found.accuracy),
        ("NLL (nats)", found.nll),
        ("Brier score ", found.brier),
        ("mean confidence − accuracy", found.bias),
        ("temperature T", found.temperature),
        ("  NLL falls by", found.nll_gain),
        ("  Brier score falls by", found.brier_gain),
        ("  bias-corrected ECE  ", found.scaled_ece),
        ("AURC", found.aurc),
        (f"  logit normalization (p = {found.norm_p}) saves", found.aurc_gain),
        ("  bias-corrected ECE of", found.worst_ece),
        ("  share of its examples", found.least_recall),
    ):
        (row,) = (row for row in rows if row.startswith(start))
        assert row.endswith(f"{number(estimate.value)}  {estimate.interval}"), row
    plug_in = [row.split()[-1] for row in rows if "plug-in (biased up)" in row]
    assert plug_in == [number(found.reliability.ece), number(found.smooth.error)]
    less = [row for row in rows if row.startswith("  bias-corrected  ")]
    assert [row.split("  ")[-1] for row in less] == [found.ece.interval, found.smooth_ece.interval]


def test_long_names_are_cut_in_the_table_only(found):
    text = str(found)
    assert "'a class of…" in text or "'cat'" in text


def test_the_table_shows_bounds_and_omits_missing_intervals():
    z = np.float32([[2, 0], [0, 2]] * 20)
    text = str(ls_keras.diagnose(z.argmax(-1), z, from_logits=True, resamples=100))
    assert "temperature T, at its lower bound" in text
    one = str(ls_keras.diagnose([0], [[0.7, 0.3]], resamples=100))
    assert one.startswith("1 example, 2 classes")
    assert "held out: one group only" in one
    assert "same examples" in one


def test_estimate_is_above_or_below_zero():
    assert Estimate(1, 0.1, 2).above
    assert Estimate(-1, -2, -0.1).below
    for both in (Estimate(1, -0.1, 2), Estimate(0, 0, 0), Estimate(1, math.nan, math.nan)):
        assert not both.above
        assert not both.below
    assert str(Estimate(1, math.nan, math.nan)) == "1.0000"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.5000"), (-0.25, "−0.2500"), (12.345, "12.35"), (math.inf, "∞"), (-math.inf, "−∞")],
)
def test_numbers_are_formatted_with_few_digits(value, shown):
    assert number(value) == shown


def test_json_contains_numbers_and_advice():
    y, z = predictions(60)
    found = ls_keras.diagnose(y, z, from_logits=True, resamples=100, class_names=list("abcd"))
    numbers = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert numbers["schema"] == 1
    assert numbers["nll"] == found.nll._asdict()
    assert numbers["ece"] == found.reliability.ece
    assert numbers["ece_corrected"]["value"] == found.reliability.ece_corrected
    assert numbers["class_names"] == list("abcd")
    assert numbers["advice"] == found.advice
    assert numbers["num_bins"] == 15


def test_json_has_null_for_unknown_values():
    found = ls_keras.diagnose([0, 0], [[0.5, 0.5]] * 2, groups=[0, 0], resamples=100)
    numbers = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert numbers["nll"] == {"value": pytest.approx(np.log(2)), "low": None, "high": None}
    assert numbers["nll_gain"]["value"] is None
    assert numbers["temperature"]["value"] == 1  # all logits are equal


@pytest.fixture(scope="module")
def short():
    y, z = predictions()
    return ls_keras.diagnose(y, z, from_logits=True, resamples=100)


def test_three_panels_have_the_curves_of_the_numbers(short):
    figure = short.plot(title="Digits")
    reliability, counts, risk = figure.axes
    assert figure.get_suptitle() == "Digits"
    assert [ax.get_title() for ax in figure.axes] == ["Reliability", "", "Risk against coverage"]
    labels = [text.get_text() for text in counts.get_legend().get_texts()]
    assert labels[:3] == [
        "perfectly calibrated",
        f"as given: ECE {short.reliability.ece:.3f}",
        f"scaled, held out: ECE {short.scaled.ece:.3f}, T {short.fit.temperature:.2f}",
    ]
    points = [line for line in reliability.lines if line.get_linestyle() == "None"]
    given = {y for line in points for y in line.get_ydata()}
    some = np.asarray(short.reliability.counts) > 0
    assert given >= set(np.asarray(short.reliability.accuracy)[some])
    assert counts.get_ylabel() == "Examples (%)"
    ranked = [text.get_text().partition(":")[0] for text in risk.get_legend().get_texts()]
    assert ranked == [
        "largest probability", f"logit norm, p = {short.norm_p}", "best possible ranking",
    ]  # fmt: skip
    assert risk.lines[0].get_ydata()[-1] == pytest.approx(1 - short.accuracy.value)


def test_figure_is_saved_with_its_numbers(short, tmp_path):
    paths = short.save(tmp_path / "diagnosis", title="Digits")
    assert [path.name for path in paths] == ["diagnosis.png", "diagnosis.svg", "diagnosis.json"]
    shown = json.loads(paths[2].read_text())
    curves = {"as given": short.reliability, "scaled, held out": short.scaled}
    assert shown["reliability"] == reliability_rows(curves)
    risks = {
        "largest probability": short.risk_coverage,
        f"logit norm, p = {short.norm_p}": short.normalized,
    }
    assert shown["risk_coverage"] == risk_coverage_rows(risks)


def test_figure_without_folds_and_norm_has_one_curve_each():
    z = np.float32([[1, 0, -np.inf], [0, 1, -np.inf], [1, 0, -np.inf]])
    short = ls_keras.diagnose([0, 0, 0], z, from_logits=True, groups=[4, 4, 4], resamples=100)
    reliability, _, risk = short.plot().axes
    assert {line.get_label() for line in reliability.lines if line.get_label()[0] != "_"} == {
        "perfectly calibrated",
        f"as given: ECE {short.reliability.ece:.3f}",
    }
    assert len(risk.get_legend().get_texts()) == 2


def test_title_must_be_a_string(short):
    with pytest.raises(InputError, match="title"):
        short.plot(title=3)

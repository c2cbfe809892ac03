"""What a user sees: a table 80 columns wide."""

import re

import numpy as np
import pytest

import ls_keras
from diagnosed import predictions
from ls_keras.diagnosis.findings import number


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


def test_the_rows_are_the_numbers(found):
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

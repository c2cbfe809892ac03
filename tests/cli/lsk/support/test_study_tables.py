"""Results of studies at several widths of the terminal."""

import dataclasses
from pathlib import Path

import pytest

from claim_results import make_result
from lsk.support import study_tables, tables
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.paper.reproduce import Reproduced
from lsk_engine.studies.paper.results import RESULTS
from lsk_engine.studies.study_result import Number, StudyResult

ARMS = {
    "alpha0": {"training.alpha": 0.0},
    "alpha0.1": {"training.alpha": 0.1},
    "unigram": {"training.alpha": 0.1, "training.smoothing": "unigram"},
}


def study(arms=ARMS):
    claim = Claim("score", "Smoothing makes it better", "score", "better", 0.5, paper=0.1)
    others = [arm for arm in arms if arm != "alpha0"]
    return StudyResult(
        question="Does label smoothing help here?",
        task="image",
        preset="digits-mlp",
        split="test",
        seeds=2,
        arms=arms,
        numbers={
            "errors": Number("top-1 error (%)", "less", bounds=(0.0, 100.0)),
            "ece": Number("ECE", "less"),
        },
        values={
            "errors": {arm: (9.0 + n, 11.0 + n) for n, arm in enumerate(arms)},
            "ece": dict.fromkeys(arms, (0.09, None)),
        },
        claims=tuple(make_result(claim, arm, "alpha0", (-1.0, -1.0)) for arm in others),
        shown="alpha0.1",
        sentences=("A sentence that is long enough for two lines of eighty letters. " * 2,),
        missing={"alpha0.1-seed1": "Expected a file at /a/path/that/is/not/broken/whatever"},
        notes=("made up",),
    )


@pytest.fixture(params=[60, 80, 160])
def width(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def test_a_study_fits_and_has_values_with_their_intervals(width):
    text = tables.render(*study_tables.show_study(study()))
    lines = text.splitlines()
    assert max(map(len, lines)) <= max(width, 54)
    assert lines[0] == "Does label smoothing help here? image, digits-mlp"
    for value in ("10.0 [0.0, 22.7]", "11.0 [0.0, 23.7]", "−1.00 [−2.50, +0.50]"):
        assert value in text
    assert "? inconclusive" in text
    assert text.count("over 2 seeds. ") == 1  # below the verdicts, and once below the means
    assert text.count("over 2 seeds.\n") == 1
    assert "unigram" in text
    assert "/a/path/that/is/not/broken/whatever" in text
    assert [line for line in lines if line.startswith("- A sentence")]
    assert lines[-1] == "Note: made up"


def test_more_arms_than_numbers_are_lines(width):
    arms = {f"alpha0.{n}" if n else "alpha0": {"training.alpha": n / 10} for n in range(6)}
    arms["alpha0.1"] = {"training.alpha": 0.1}
    text = tables.render(*study_tables.show_study(study(arms)))
    starts = [line.split("  ")[0] for line in text.splitlines()]
    assert [one for one in starts if one in ("hard", "α 0.5")] == ["hard", "α 0.5"]


def test_a_result_of_the_paper_has_its_numbers_ours_and_verdicts(width):
    result = dataclasses.replace(RESULTS["table2"], claims=("score",))
    one = Reproduced(result, "demo", {"images": study()}, (Path("figure.png"),), {"speech": "why"})
    text = tables.render(*study_tables.show_reproduced(one))
    lines = text.splitlines()
    assert lines[0].startswith("table2: ")
    assert lines[1].startswith("  the paper: CIFAR-10, AlexNet: 86.8")
    assert "images: image, digits-mlp" in lines
    assert "top-1 error" in text
    assert "(%)" in text
    assert "ECE" not in text  # no claim is about it
    assert "+0.1" in text
    assert "α 0.1, unigram − hard" in text
    assert lines[-2:] == ["Missing: speech: why", "Figure: figure.png"]

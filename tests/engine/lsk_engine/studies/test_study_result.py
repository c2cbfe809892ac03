import json

import pytest

from claim_results import make_result
from ls_base.errors import FileError
from ls_base.files import write_json
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.study_result import (
    FIGURE_FILE,
    RESULTS_FILE,
    Number,
    StudyResult,
    read_curves,
    read_study_result,
)
from reported_runs import study, taught


def make_study(**changes):
    claim = Claim("a name that is too long for it", "It falls", "ece", "better", 0.01, paper=-0.1)
    decision = {"verdict": "not measured", "mean": -1.234e-5, "low": -1.234e-4, "high": 1.234e-4}
    content = {
        "question": "Does it help?",
        "task": "image",
        "preset": "digits-mlp",
        "split": "test",
        "seeds": 1,
        "arms": {"a": {"data.source": "x" * 90}, "b": {"data.source": "y" * 90}},
        "numbers": {"ece": Number("a label that is too long for a table", "less")},
        "values": {"ece": {"a": (0.1,), "b": (None,)}},
        "claims": (make_result(claim, "b", "a", (-0.1,), **decision),),
        "shown": "b",
        "sentences": ("It falls: inconclusive.",),
        "missing": {"b-seed0": "diverged"},
        "notes": ("synthetic",),
    }
    return StudyResult(**{**content, **changes})


def test_a_stored_result_is_read_unchanged(tmp_path):
    result = make_study()
    write_json(tmp_path / RESULTS_FILE, result.to_dict())
    assert read_study_result(tmp_path) == result


def test_a_printed_result_fits_80_columns():
    lines = str(make_study()).splitlines()
    assert max(map(len, lines[:-2])) <= 80 + len("x" * 90)
    assert "a label that is too long for a table: 0.1" in "\n".join(lines)
    assert lines[-2:] == ["Missing: b-seed0: diverged", "Note: synthetic"]


def change(folder, name, **changes):
    content = json.loads((folder / name).read_text())
    write_json(folder / name, {**content, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shown": "alpha9"}, "Expected an arm of .*results.json.* Received: 'alpha9'"),
        ({"seeds": -1}, "Expected a valid seeds|Expected seeds"),
        (
            {"claims": [{}]},
            r"Expected a valid claims\[0\] in .*results.json.* missing required field name",
        ),
        ({"schema": 2}, "Expected schema 1"),
    ],
)
def test_a_damaged_result_is_refused(tmp_path, changes, message):
    study(tmp_path, seeds=1)
    change(tmp_path, RESULTS_FILE, **changes)
    with pytest.raises(FileError, match=message):
        read_study_result(tmp_path)


def test_curves_have_one_score(tmp_path):
    score, points = read_curves(taught(tmp_path))
    assert score == "bleu"
    assert [(p.curve, p.seed, p.score) for p in points[:2]] == [
        *(("teacher", 0, 20.0), ("teacher", 0, 20.2))
    ]
    file = (tmp_path / FIGURE_FILE).with_suffix(".json")
    rows = json.loads(file.read_text())
    write_json(file, [*rows, {**rows[0], "bleu": None}])
    with pytest.raises(FileError, match=r"\[8\].score in .*sweep.json"):
        read_curves(tmp_path)
    for changed in ([], [{**rows[0], "wer": 1.0}]):
        write_json(file, changed)
        with pytest.raises(FileError, match="Expected rows with one score"):
            read_curves(tmp_path)

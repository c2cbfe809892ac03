import json
import math

import pytest

from ls_base.errors import FileError
from ls_base.files import write_json
from lsk_engine.studies.claims import Claim, Decision
from lsk_engine.studies.measurements import Number
from lsk_engine.studies.stored_results import read_curves, read_study_result
from lsk_engine.studies.study_folder import FIGURE_FILE, RESULTS_FILE
from lsk_engine.studies.study_result import Decided, StudyResult
from reported_runs import study, taught


def result():
    claim = Claim("score", "It falls", "ece", "better", 0.01, paper=-0.1, source="Table 3")
    decision = Decision("can't tell", -0.1, math.nan, math.nan, math.nan, "one seed", 7)
    return StudyResult(
        question="Does it help?",
        task="image",
        preset="digits-mlp",
        split="test",
        seeds=1,
        arms={"a": {"training.alpha": 0.0}, "b": {"training.alpha": 0.1}},
        numbers={"ece": Number("ECE", "less")},
        values={"ece": {"a": (0.2,), "b": (math.nan,)}},
        decided=(Decided(claim, "b", "a", (-0.1,), decision),),
        shown="b",
        sentences=("It falls: can't tell.",),
        missing={"b-seed0": "diverged"},
        notes=("synthetic",),
    )


def test_what_a_study_writes_is_read(tmp_path):
    written = result().to_dict()
    write_json(tmp_path / RESULTS_FILE, written)
    found = read_study_result(tmp_path)
    (decided,) = found.decided
    assert (decided.verdict, decided.mean, decided.low, decided.seeds) == (
        "can't tell",
        -0.1,
        None,
        7,
    )
    assert (decided.paper, decided.source, decided.reason) == (-0.1, "Table 3", "one seed")
    assert found.values == {"ece": {"a": [0.2], "b": [None]}}
    kept = found.to_dict()
    assert {name: kept[name] for name in kept if name != "decided"} == {
        name: written[name] for name in kept if name != "decided"
    }


def change(folder, name, **changes):
    content = json.loads((folder / name).read_text())
    write_json(folder / name, {**content, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shown": "alpha9"}, "Expected an arm of .*results.json.* Received: 'alpha9'"),
        ({"seeds": -1}, "Expected a valid seeds|Expected seeds"),
        ({"decided": [{}]}, r"Expected decided\[0\].name in .*results.json"),
        ({"schema": 2}, "Expected schema 1"),
    ],
)
def test_a_study_that_is_not_whole_is_told(tmp_path, changes, message):
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

"""Runs with scores known by hand; none is trained."""

import json

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.reports.score_tables import comparison
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.comparison.compare_runs import compare_runs
from stored_files import CONFIG, metrics


def run(folder, name, *, alpha=0.0, seed=0, bleu=20.0, nll=1.0, split="test", **parts):
    training = {"alpha": alpha, "seed": seed}
    made = RunDirectory.create(folder / name, {**CONFIG, "training": training, **parts})
    scores = {"bleu": bleu, "nll": nll}
    made.write_json(made.metrics_file, metrics({"bleu": "BLEU"}, **{split: scores}))
    return made


@pytest.fixture
def runs(tmp_path):
    """Differences of BLEU by seed: 1, 2, 3; the smoothed runs have one seed more."""
    hard = [run(tmp_path, f"h{s}", seed=s, bleu=20 + s) for s in (2, 0, 1)]
    smooth = [run(tmp_path, f"s{s}", alpha=0.1, seed=s, bleu=21 + 2 * s) for s in range(4)]
    return [*hard, *smooth]


def test_runs_that_differ_in_the_seed_alone_are_a_group(runs):
    found = compare_runs(runs)
    assert [dict(group.settings) for group in found.groups] == [
        {"training.alpha": 0.0},
        {"training.alpha": 0.1},
    ]
    assert [list(group.runs) for group in found.groups] == [[0, 1, 2], [0, 1, 2, 3]]
    assert found.labels == {"bleu": "BLEU", "nll": "NLL (nats)"}
    mean, low, high = found.difference("bleu", found.groups[1])
    half = 4.302653 / 3**0.5  # t of two degrees of freedom; differences 1, 2, 3 deviate by 1
    assert (mean, low, high) == pytest.approx((2, 2 - half, 2 + half))


def taught(teacher, temperature):
    """Returns how a student learns from the teacher of a seed."""
    return {
        "teacher": f"/somewhere/{teacher}",
        "teacher_sha256": teacher,
        "teacher_temperature": temperature,
        "beta": 1.0,
    }


def test_students_are_told_by_their_teacher_whatever_its_seed(tmp_path, runs):
    students = [
        run(tmp_path, f"t{t}-{s}", seed=s, bleu=30 + t, distillation=taught(f"a0.1-seed{s}", t))
        for t in (1.0, 2.0)
        for s in (0, 1)
    ]
    found = compare_runs([*runs[:3], *students])
    assert [list(group.runs) for group in found.groups] == [[0, 1, 2], [0, 1], [0, 1]]
    (means, _) = comparison(found)
    assert [row[0].text for row in means.rows()] == [
        "no teacher",
        "student of a0.1, T 1",
        "student of a0.1, T 2",
    ]


def test_tables_and_json_say_the_same(runs):
    found = compare_runs(runs)
    means, differences = comparison(found)
    assert [[cell.text for cell in row] for row in means.rows()] == [
        ["hard", "3", "21.00", "1.000"],
        ["α 0.1", "4", "24.00", "1.000"],
    ]
    (row,) = differences.rows()
    assert [cell.text for cell in row][:3] == ["α 0.1", "3", "+2.00 [−0.48, +4.48]"]
    assert "Student’s t" in differences.note
    values = json.loads(json.dumps(found.to_dict()))
    assert values["groups"][1]["differences"]["bleu"][0] == 2
    assert values["groups"][1]["scores"]["bleu"]["3"] == 27
    assert "differences" not in values["groups"][0]


def test_without_a_shared_seed_there_is_no_difference(tmp_path):
    pair = [run(tmp_path, "a", seed=1), run(tmp_path, "b", alpha=0.1, seed=2)]
    found = compare_runs(pair)
    (row,) = list(comparison(found))[1].rows()
    assert [cell.text for cell in row] == ["α 0.1", "0", "–", "–"]
    assert found.to_dict()["groups"][1]["differences"]["bleu"] == [None, None, None]
    (means,) = comparison(compare_runs(pair[:1]))
    assert means.rows()[0][0].text == "all"


def test_scores_that_not_all_have_are_left_out(tmp_path, runs):
    other = run(tmp_path, "other", alpha=0.2)
    other.write_json(other.metrics_file, metrics({"chrf": "chrF"}, test={"nll": 1.0, "chrf": 1.0}))
    assert compare_runs([*runs, other]).labels == {"nll": "NLL (nats)"}


def test_runs_whose_data_have_changed_are_not_paired(runs):
    def known_by(run, sha256, train="a"):
        splits = {
            name: {"examples": 1, "labels": 1, "sha256": digest}
            for name, digest in (("test", sha256), ("train", train))
        }
        state = {"schema": 1, "classes": 2, "class_counts": "1 1", "splits": splits}
        run.write_json(run.data_file, state)

    for one in runs:
        known_by(one, "a", train=one.path.name)  # which makes them no worse to compare
    assert len(compare_runs(runs).groups) == 2
    known_by(runs[-2], "b")
    with pytest.raises(InputError, match=r"the same test split; .*changed.*Received: .*h2 .*s2"):
        compare_runs(runs)


def test_what_cannot_be_compared_is_told_in_a_line(tmp_path, runs):
    with pytest.raises(InputError, match="one or more different runs"):
        compare_runs([runs[0], runs[0]])
    with pytest.raises(InputError, match="one or more different runs"):
        compare_runs([])
    with pytest.raises(InputError, match="differ in a setting or the seed.*same.*h2"):
        compare_runs([*runs, run(tmp_path, "same", seed=2)])
    with pytest.raises(InputError, match="runs of one task. Received: other, tiny"):
        compare_runs([*runs, run(tmp_path, "task", task="other")])
    with pytest.raises(InputError, match="a split that all runs have;.*dev has dev. .*'test'"):
        compare_runs([*runs, run(tmp_path, "dev", alpha=0.3, split="dev")])
    unfinished = RunDirectory.create(tmp_path / "new", CONFIG)
    with pytest.raises(InputError, match="finished runs.*--resume.*new, which has no scores yet"):
        compare_runs([*runs, unfinished])
    (runs[0].path / "metrics.json").write_text("[]")
    with pytest.raises(FileError, match="metrics.json"):
        compare_runs(runs)

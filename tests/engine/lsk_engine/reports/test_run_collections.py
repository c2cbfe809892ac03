from pathlib import Path

import pytest

from ls_base.errors import InputError
from lsk_engine.reports.run_collections import MOST_CURVES, collect, find_inputs, group_runs
from lsk_engine.reports.run_files import read_run
from lsk_engine.reports.sections import build_sections
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.study_result import FIGURE_FILE, RESULTS_FILE
from reported_runs import bare_run, config, study, taught


def test_runs_belong_to_their_study_or_task(tmp_path):
    study(tmp_path / "study")
    taught(tmp_path / "taught")
    bare_run(tmp_path / "a")
    bare_run(tmp_path / "b", task="other")
    found = collect(find_inputs([tmp_path]))
    assert [(one.title, len(one.runs)) for one in found] == [
        *(("Study study", 4), ("Study taught", 8), ("Task tiny", 1), ("Task other", 1))
    ]
    assert found[0].study.question == "Does it help?"
    assert (found[1].score, found[1].score_label()) == ("bleu", "BLEU")
    assert found[0].about() == "tiny, tiny; α 0, 0.1; seeds 0, 1; 4 runs, 4 finished"


def test_unfinished_and_damaged_studies_are_reported(tmp_path):
    folder = study(tmp_path / "study", seeds=1)
    (folder / RESULTS_FILE).unlink()
    other = taught(tmp_path / "taught")
    (other / FIGURE_FILE).with_suffix(".json").write_text("[")
    first, second = collect(find_inputs([tmp_path]))
    assert "the same command continues it" in first.unfinished
    assert first.study is None
    (problem,) = second.problems
    assert "distillation-sweep.json" in problem
    assert second.points == []


def test_many_groups_are_shown_in_parts(tmp_path):
    for i in range(MOST_CURVES + 2):
        bare_run(tmp_path / f"run{i}", alpha=i / 100)
    (found,) = collect(find_inputs([tmp_path]))
    first, second = found.chunks()
    assert [group.look for group in first] == [*range(MOST_CURVES)]
    assert [group.label for group in second] == ["α 0.06", "α 0.07"]
    assert [group.look for group in second] == [0, 1]


def test_nested_studies_have_their_own_runs(tmp_path):
    study(tmp_path / "outer", seeds=1)
    study(tmp_path / "outer" / "more" / "inner", seeds=2)
    found = {one.title: len(one.runs) for one in collect(find_inputs([tmp_path]))}
    assert found == {"Study outer": 2, "Study outer/more/inner": 4}


@pytest.mark.parametrize("value", ["<b>", None, [0.1], 10**400, True])
def test_settings_that_are_not_numbers_do_not_stop_the_report(tmp_path, value):
    for seed in (0, 1):
        bare_run(tmp_path / f"a{seed}", 0.0, seed)
    training = {"alpha": value, "seed": value}
    RunDirectory.create(tmp_path / "b", config() | {"training": training})
    (found,) = collect(find_inputs([tmp_path]))
    assert found.about().startswith("tiny, tiny; α 0")
    assert [len(group.runs) for chunk in found.chunks() for group in chunk] == [2, 1]
    assert build_sections([found])


def test_runs_and_studies_are_distinguished(tmp_path):
    bare_run(tmp_path / "one")
    study(tmp_path / "deep" / "study", seeds=1)
    taught(tmp_path / "taught")
    (tmp_path / ".hidden").mkdir()
    bare_run(tmp_path / ".hidden" / "run")
    found = find_inputs([tmp_path])
    assert list(found.studies) == ["deep/study", "taught"]
    assert list(found.runs)[:3] == [
        *("deep/study/runs/alpha0-seed0", "deep/study/runs/alpha0.1-seed0", "one")
    ]
    assert len(found.runs) == 3 + 8


def test_runs_are_named_by_their_folders(tmp_path, monkeypatch):
    bare_run(tmp_path / "one")
    bare_run(tmp_path / "other" / "one")
    monkeypatch.chdir(tmp_path / "one")
    found = find_inputs([Path(), tmp_path / "other" / "one"])
    assert list(found.runs) == ["one", str(tmp_path / "other" / "one")]


def test_a_run_given_twice_is_read_once(tmp_path):
    bare_run(tmp_path / "runs" / "one")
    found = find_inputs([tmp_path / "runs", tmp_path / "runs" / "one", tmp_path / "runs"])
    assert list(found.runs) == ["one"]


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="Expected a folder with a run .* which holds none"):
        find_inputs([tmp_path])
    with pytest.raises(InputError, match="Received: .*nowhere"):
        find_inputs([tmp_path / "nowhere"])


def test_a_file_named_like_a_study_s_does_not_make_a_study(tmp_path):
    bare_run(tmp_path / "run")
    (tmp_path / "study.json").write_text("[]")  # lsk sweep-temperature --output study.png
    found = find_inputs([tmp_path])
    assert (found.studies, list(found.runs)) == ({}, ["run"])


def read(folder, *names):
    return [read_run(name, folder / name) for name in names]


def test_a_single_run_is_named_by_its_folder(tmp_path):
    bare_run(tmp_path / "mine")
    (group,) = group_runs(read(tmp_path, "mine"))
    assert group.label == "mine"


def test_groups_with_many_differences_are_named_by_their_folders(tmp_path):
    for name in ("a-seed0", "a-seed1", "b"):
        source = "x" * 50 if name == "b" else "y" * 50
        bare_run(tmp_path / name, seed=int(name[-1] == "1"), data={"source": source})
    groups = group_runs(read(tmp_path, "a-seed0", "a-seed1", "b"))
    assert [group.label for group in groups] == ["a", "b"]

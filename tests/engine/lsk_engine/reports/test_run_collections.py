import pytest

from lsk_engine.reports.discover import find
from lsk_engine.reports.reliability_charts import MOST_CURVES
from lsk_engine.reports.run_collections import collect
from lsk_engine.reports.sections import sections_of
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.study_folder import FIGURE_FILE, RESULTS_FILE
from reported_runs import bare_run, config, study, taught


def test_runs_belong_to_their_study_or_their_task(tmp_path):
    study(tmp_path / "study")
    taught(tmp_path / "taught")
    bare_run(tmp_path / "a")
    bare_run(tmp_path / "b", task="other")
    found = collect(find([tmp_path]))
    assert [(one.title, len(one.runs)) for one in found] == [
        *(("Study study", 4), ("Study taught", 8), ("Task tiny", 1), ("Task other", 1))
    ]
    assert found[0].study.question == "Does it help?"
    assert (found[1].score, found[1].score_label()) == ("bleu", "BLEU")
    assert found[0].about() == "tiny, tiny; α 0, 0.1; seeds 0, 1; 4 runs, 4 finished"


def test_what_is_not_finished_or_damaged_is_told(tmp_path):
    folder = study(tmp_path / "study", seeds=1)
    (folder / RESULTS_FILE).unlink()
    other = taught(tmp_path / "taught")
    (other / FIGURE_FILE).with_suffix(".json").write_text("[")
    first, second = collect(find([tmp_path]))
    assert "the same command goes on" in first.unfinished
    assert first.study is None
    (problem,) = second.problems
    assert "distillation-sweep.json" in problem
    assert second.points == []


def test_more_groups_than_can_be_told_apart_are_shown_in_parts(tmp_path):
    for i in range(MOST_CURVES + 2):
        bare_run(tmp_path / f"run{i}", alpha=i / 100)
    (found,) = collect(find([tmp_path]))
    first, second = found.chunks()
    assert [group.look for group in first] == [*range(MOST_CURVES)]
    assert [group.label for group in second] == ["α 0.06", "α 0.07"]
    assert [group.look for group in second] == [0, 1]


def test_the_inner_one_of_two_studies_has_its_runs(tmp_path):
    study(tmp_path / "outer", seeds=1)
    study(tmp_path / "outer" / "more" / "inner", seeds=2)
    found = {one.title: len(one.runs) for one in collect(find([tmp_path]))}
    assert found == {"Study outer": 2, "Study outer/more/inner": 4}


@pytest.mark.parametrize("value", ["<b>", None, [0.1], 10**400, True])
def test_settings_that_are_no_numbers_are_shown_all_the_same(tmp_path, value):
    for seed in (0, 1):
        bare_run(tmp_path / f"a{seed}", 0.0, seed)
    training = {"alpha": value, "seed": value}
    RunDirectory.create(tmp_path / "b", config() | {"training": training})
    (found,) = collect(find([tmp_path]))
    assert found.about().startswith("tiny, tiny; α 0")
    assert [len(group.runs) for chunk in found.chunks() for group in chunk] == [2, 1]
    assert sections_of([found])

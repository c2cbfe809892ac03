from lsk_engine.reports.charts import LOOKS
from lsk_engine.reports.collected import collect
from lsk_engine.reports.found import find
from lsk_engine.studies.study_folder import FIGURE_FILE, RESULTS_FILE
from reported_runs import bare_run, study, sweep


def test_runs_belong_to_their_study_their_sweep_or_their_task(tmp_path):
    study(tmp_path / "study")
    sweep(tmp_path / "sweep")
    bare_run(tmp_path / "a")
    bare_run(tmp_path / "b", task="other")
    found = collect(find([tmp_path]))
    assert [(one.title, len(one.runs)) for one in found] == [
        *(("Study study", 4), ("Sweep sweep", 8), ("Task tiny", 1), ("Task other", 1))
    ]
    assert found[0].study.question == "Does it help?"
    assert (found[1].score, found[1].score_label()) == ("bleu", "BLEU")
    assert found[0].about() == "tiny, tiny; α 0, 0.1; seeds 0, 1; 4 runs, 4 finished"


def test_what_is_not_finished_or_damaged_is_told(tmp_path):
    folder = study(tmp_path / "study", seeds=1)
    (folder / RESULTS_FILE).unlink()
    other = sweep(tmp_path / "sweep")
    (other / FIGURE_FILE).with_suffix(".json").write_text("[")
    first, second = collect(find([tmp_path]))
    assert "the same `lsk study` goes on" in first.unfinished
    assert first.study is None
    (problem,) = second.problems
    assert "distillation-sweep.json" in problem
    assert second.points == []


def test_more_groups_than_looks_are_shown_in_parts(tmp_path):
    for i in range(LOOKS + 2):
        bare_run(tmp_path / f"run{i}", alpha=i / 100)
    (found,) = collect(find([tmp_path]))
    first, second = found.chunks()
    assert [group.look for group in first] == [*range(LOOKS)]
    assert [group.label for group in second] == ["α 0.07", "α 0.08"]
    assert [group.look for group in second] == [0, 1]

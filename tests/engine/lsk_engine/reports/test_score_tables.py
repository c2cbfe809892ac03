import pytest

from lsk_engine.reports import score_tables
from lsk_engine.reports.run_collections import group_runs
from lsk_engine.reports.run_files import read_run
from lsk_engine.studies.study_result import read_curves, read_study_result
from reported_runs import bare_run, study, taught, whole_run


def read(*runs):
    return [read_run(run.path.name, run.path) for run in runs]


def shown(table):
    heads = [label for label, _ in table.headings()]
    return [dict(zip(heads, (c.text for c in row), strict=True)) for row in table.rows()]


def test_one_run_has_one_table_with_a_row_for_each_split_and_model(tmp_path):
    (table,) = score_tables.run_tables(read(whole_run(tmp_path / "a")))
    rows = shown(table)
    assert [(row["split"], row["model"]) for row in rows] == [
        *(("validation", "as trained"), ("test", "as trained")),
        *(("validation", "scaled"), ("test", "scaled")),
    ]
    assert rows[0]["BLEU ↑"] == "20.0 [18.0, 22.0]"
    assert rows[0]["ECE ↓"] == "0.100 [0.080, 0.130]"
    assert rows[0]["NLL (nats) ↓"] == "1.500"
    assert list(rows[0]) == [
        *("split", "model", "BLEU ↑", "accuracy ↑", "NLL (nats) ↓", "perplexity ↓"),
        *("ECE ↓", "Brier ↓"),
    ]


def test_several_runs_have_a_table_for_each_split_and_one_explanation(tmp_path):
    runs = read(bare_run(tmp_path / "a", 0.0), bare_run(tmp_path / "b", 0.1, seed=3))
    validation, test = score_tables.run_tables(runs)
    assert (validation.caption, test.caption) == ("Scores, validation", "Scores, test")
    assert [(row["run"], row["α"], row["seed"]) for row in shown(test)] == [
        *(("a", "0", "0"), ("b", "0.1", "3"))
    ]
    assert validation.note == score_tables.INTERVALS
    assert test.note == ""
    assert test.rows()[1][0].link == score_tables.anchor(runs[1])


def test_unfinished_runs_have_no_scores(tmp_path):
    run = bare_run(tmp_path / "a")
    run.metrics_file.unlink()
    assert list(score_tables.run_tables(read(run))) == []


def test_groups_are_compared_seed_by_seed(tmp_path):
    runs = [
        bare_run(tmp_path / f"{alpha}-{seed}", alpha, seed, bleu=20 + seed + 10 * alpha)
        for alpha in (0.0, 0.1)
        for seed in (0, 1)
    ]
    means, differences = score_tables.comparison_tables(group_runs(read(*runs)))
    assert [(row["setting"], row["BLEU ↑"]) for row in shown(means)] == [
        *(("hard", "20.50"), ("α 0.1", "21.50"))
    ]
    (row,) = shown(differences)
    assert row["setting"] == "α 0.1"
    assert row["BLEU ↑"].startswith("+1.00 [")
    alone = [run for run in runs if run.path.name.endswith("-0")]
    assert list(score_tables.comparison_tables(group_runs(read(*alone)))) == []


def test_runs_on_other_data_have_a_reason_instead_of_a_table(tmp_path):
    runs = [
        bare_run(tmp_path / f"{alpha}-{seed}", alpha, seed)
        for alpha in (0.0, 0.1)
        for seed in (0, 1)
    ]
    for run in runs:
        splits = {"test": {"examples": 1, "labels": 1, "sha256": run.path.name}}
        state = {"schema": 1, "classes": 2, "class_counts": "1 1", "splits": splits}
        run.write_json(run.data_file, state)
    (reason,) = score_tables.comparison_tables(group_runs(read(*runs)))
    assert reason.items[0].startswith("Not side by side: Expected runs with the same test split")


def test_a_study_has_verdicts_and_means(tmp_path):
    found = read_study_result(study(tmp_path))
    (row,) = shown(score_tables.verdict_table(found, found.claims))
    assert row == {
        "claim": "score",
        "verdict": "✓ supported",
        "difference": "+1.50 [+1.20, +1.80]",
        "margin": "± 0.5",
        "paper": "–",
    }
    table = score_tables.arm_table(found)
    hard, smoothed = shown(table)
    assert hard["setting"] == "hard"
    assert hard["BLEU ↑"] == "20.5 [14.1, 26.9]"  # t with 1 degree of freedom: 12.706 × 0.5
    assert smoothed["BLEU ↑"] == "–"  # a seed is missing
    assert "2 seeds" in table.note
    assert "margin does not matter" in score_tables.verdict_table(found, found.claims).note
    (some,) = shown(score_tables.arm_table(found, arms=[next(iter(found.arms))]))
    assert some == hard


@pytest.mark.parametrize(
    ("verdict", "sign"),
    [("supported", "✓"), ("contradicted", "✗"), ("equivalent", "="), ("other", "?")],
)
def test_verdicts_have_signs(tmp_path, verdict, sign):
    import msgspec

    found = read_study_result(study(tmp_path, seeds=1))
    decided = msgspec.structs.replace(found.claims[0], verdict=verdict)
    assert score_tables.verdict_text(decided) == f"{sign} {verdict}"


def test_a_distillation_sweep_has_a_row_for_each_point(tmp_path):
    _, points = read_curves(taught(tmp_path))
    rows = shown(score_tables.sweep_table(points, "BLEU"))
    assert len(rows) == 4
    assert rows[1] == {
        **{"curve": "teacher", "α": "0.2", "T": "1", "γ": "0.2000"},
        **{"BLEU": "20.7 [20.2, 21.2]", "seeds": "2"},
    }

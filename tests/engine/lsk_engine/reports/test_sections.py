from lsk_engine.reports.blocks import Facts, Fold, Heading
from lsk_engine.reports.discover import find
from lsk_engine.reports.run_collections import collect
from lsk_engine.reports.sections import sections_of
from lsk_engine.reports.tables import Table
from reported_runs import bare_run, study, taught, whole_run


def titles(*folders):
    return [section.title for section in sections_of(collect(find(folders)))]


def test_what_a_run_has_is_shown_in_order_and_nothing_else(tmp_path):
    assert titles(whole_run(tmp_path / "a").path) == [
        *("Scores", "Learning curves", "Reliability", "Temperature", "Projection"),
        *("Mutual information", "Outputs and references", "Pictures of the task"),
        "Runs, commands, environment",
    ]
    assert titles(bare_run(tmp_path / "b").path) == [
        *("Scores", "Learning curves", "Runs, commands, environment")
    ]


def test_verdicts_come_first(tmp_path):
    study(tmp_path / "study")
    taught(tmp_path / "sweep")
    found = sections_of(collect(find([tmp_path])))
    assert [section.title for section in found] == [
        *("Verdicts", "Scores", "Learning curves", "Distillation", "Runs, commands, environment")
    ]
    (scores,) = (section for section in found if section.anchor == "scores")
    assert [type(block) for block in scores.blocks] == [Heading, Fold, Heading, Table, Fold]


def test_seeds_are_no_extra_outputs(tmp_path):
    for alpha in (0.0, 0.1):
        for seed in (0, 1):
            whole_run(tmp_path / f"a{alpha:g}-{seed}", alpha, seed)
    found = {s.anchor: s for s in sections_of(collect(find([tmp_path])))}
    (examples,) = found["outputs"].blocks
    assert [name for name, _ in examples.examples[0].outputs] == ["a0-0", "a0.1-0"]
    assert examples.total == 3


def test_every_run_has_its_command_environment_and_settings(tmp_path):
    run = bare_run(tmp_path / "a")
    run.record_start(command=["lsk", "train", "--resume", "a"], changed={"x": [1, 2]})
    found = {s.anchor: s for s in sections_of(collect(find([run.path])))}
    (fold,) = found["runs"].blocks
    assert fold.summary == "a: finished, step 20"
    facts = [dict(block.items) for block in fold.blocks if isinstance(block, Facts)]
    assert len(facts) == 2
    assert facts[1]["command"] == "lsk train --resume a"
    assert facts[1]["changed"] == "x 1, 2"
    assert "keras" in facts[0]["packages"]
    settings = fold.blocks[-1].blocks[0].rows()
    assert ["training.alpha", "0.1"] in [[cell.text for cell in row] for row in settings]


def test_a_run_that_is_not_finished_says_how_to_go_on(tmp_path):
    run = bare_run(tmp_path / "my own")
    run.metrics_file.unlink()
    found = {s.anchor: s for s in sections_of(collect(find([run.path])))}
    command = f"lsk train --resume '{run.path}'"
    assert found["runs"].blocks[0].summary == f"my own: unfinished, step 20; go on with: {command}"
    with run.lock():
        found = {s.anchor: s for s in sections_of(collect(find([run.path])))}
    assert found["runs"].blocks[0].summary == "my own: running, step 20"

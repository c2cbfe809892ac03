from lsk_engine.reports.run_collections import collect, find_inputs
from lsk_engine.reports.run_files import read_run
from lsk_engine.reports.sections import build_sections, missing_results
from lsk_engine.reports.tables import Facts, Fold, Heading, Table
from reported_runs import OUTPUTS, bare_run, study, taught, whole_run


def titles(*folders):
    return [section.title for section in build_sections(collect(find_inputs(folders)))]


def test_sections_have_a_fixed_order_and_empty_ones_are_left_out(tmp_path):
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
    found = build_sections(collect(find_inputs([tmp_path])))
    assert [section.title for section in found] == [
        *("Verdicts", "Scores", "Learning curves", "Distillation", "Runs, commands, environment")
    ]
    (scores,) = (section for section in found if section.anchor == "scores")
    assert [type(block) for block in scores.blocks] == [Heading, Fold, Heading, Table, Fold]


def test_outputs_are_shown_for_one_seed(tmp_path):
    for alpha in (0.0, 0.1):
        for seed in (0, 1):
            whole_run(tmp_path / f"a{alpha:g}-{seed}", alpha, seed)
    found = {s.anchor: s for s in build_sections(collect(find_inputs([tmp_path])))}
    (examples,) = found["outputs"].blocks
    assert [name for name, _ in examples.examples[0].outputs] == ["a0-0", "a0.1-0"]
    assert examples.total == 3


def test_every_run_has_its_command_environment_and_settings(tmp_path):
    run = bare_run(tmp_path / "a")
    run.record_start(command=["lsk", "train", "--resume", "a"], changed={"x": [1, 2]})
    found = {s.anchor: s for s in build_sections(collect(find_inputs([run.path])))}
    (fold,) = found["runs"].blocks
    assert fold.summary == "a: finished, step 20"
    facts = [dict(block.items) for block in fold.blocks if isinstance(block, Facts)]
    assert len(facts) == 2
    assert facts[1]["command"] == "lsk train --resume a"
    assert facts[1]["changed"] == "x 1, 2"
    assert "keras" in facts[0]["packages"]
    settings = fold.blocks[-1].blocks[0].rows()
    assert ["training.alpha", "0.1"] in [[cell.text for cell in row] for row in settings]


def test_an_unfinished_run_shows_the_command_that_continues_it(tmp_path):
    run = bare_run(tmp_path / "my own")
    run.metrics_file.unlink()
    found = {s.anchor: s for s in build_sections(collect(find_inputs([run.path])))}
    command = f"lsk train --resume '{run.path}'"
    assert (
        found["runs"].blocks[0].summary == f"my own: unfinished, step 20; continue with: {command}"
    )
    with run.lock():
        found = {s.anchor: s for s in build_sections(collect(find_inputs([run.path])))}
    assert found["runs"].blocks[0].summary == "my own: running, step 20"


def test_missing_results_have_the_command_that_makes_them(tmp_path):
    run = bare_run(tmp_path / "my run")
    run.write_json(run.outputs_file("test"), OUTPUTS)
    found = dict(missing_results([read_run("a", run.path)]))
    path = f"'{run.path}'"
    assert found == {
        "reliability diagrams": f"lsk evaluate {path}",
        "references beside outputs": f"lsk evaluate {path}",
        "a fitted temperature": f"lsk calibrate {path} && lsk evaluate {path} --calibrated",
        "scores by temperature": f"lsk sweep-temperature {path}",
        "a projection": f"lsk project {path} --classes A,B,C",
        "mutual information": f"lsk probe {path} --classes A,B",
    }


def test_only_a_run_with_beam_search_lacks_a_beam_sweep(tmp_path):
    decoding = {"beam_size": 4, "temperature": 1.0}
    run = bare_run(tmp_path / "a", decoding=decoding)
    what = "scores by number of beams"
    assert dict(missing_results([read_run("a", run.path)]))[what] == f"lsk sweep-beams {run.path}"
    point = {"temperature": 1.0, "values": {}, "labels": {}, "intervals": {}, "search": "e"}
    points = [point | {"beam_size": b} for b in (1, 4)]
    run.write_json(run.sweep_file("test"), {"points": points})
    hinted = dict(missing_results([read_run("a", run.path)]))
    assert what not in hinted
    assert "scores by temperature" in hinted


def test_a_result_of_one_run_is_not_missing(tmp_path):
    runs = [bare_run(tmp_path / "a"), whole_run(tmp_path / "b")]
    assert missing_results([read_run(run.path.name, run.path) for run in runs]) == []


def test_an_unfinished_run_lacks_nothing(tmp_path):
    run = bare_run(tmp_path / "a")
    run.metrics_file.unlink()
    assert missing_results([read_run("a", run.path)]) == []

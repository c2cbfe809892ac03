"""`lsk show`, on a run with every kind of result."""

import json

import pytest
from click.testing import CliRunner

from lsk.main import cli
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, metrics

SCORES = {"wer": 9.0, "nll": 1.0, "accuracy": 0.5, "ece": 0.1}


def entry(step, loss, **validation):
    return {"step": step, "epoch": step // 10, "train": {"loss": loss}, "validation": validation}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {**CONFIG, "training": {"alpha": 0.1, "seed": 0, "boundaries": []}}
    run = RunDirectory.create("runs/teacher", config)
    for step, loss in ((10, 3.0), (20, 2.0), (30, 2.5)):
        run.append_history(entry(step, loss, nll=loss, accuracy=1 - loss / 4))
    found = metrics({"wer": "WER (%)"}, validation=SCORES, test=SCORES)
    more = {"notes": ["made up"], "signatures": {"wer": "nrefs:1"}, "better": {"wer": "less"}}
    run.write_json(run.metrics_file, {**found, **more})
    before, after = {"ece": 0.12, "nll": 1.1}, {"ece": 0.02, "nll": 1.0}
    run.write_json(
        run.calibration_file,
        {
            "method": "temperature",
            "temperature": 1.25,
            "test": {"before": before, "after": after},
        },
    )
    point = {"step": 30, "mutual_information": 0.5, "low": 0.4, "high": 0.6}
    run.evaluation.mkdir()
    run.write_json(run.information_file.with_suffix(".json"), [point])
    sweep = {"search": "x", "values": {"wer": 9.0}, "labels": {}, "intervals": {}}
    points = [sweep | {"temperature": t, "nll": abs(t - 1.5)} for t in (1.0, 1.5, 2.0)]
    beams = {"temperature": 3.0}
    points += [sweep | beams | {"beam_size": b} for b in (16, 4)]
    run.write_json(run.sweep_file("test"), {"points": points})
    taught = {"teacher": str(run.path.absolute()), "teacher_temperature": 4.0}
    RunDirectory.create("runs/student", {**CONFIG, "distillation": taught})
    return run


def show(*arguments):
    return CliRunner().invoke(cli, ["show", *map(str, arguments)], catch_exceptions=False)


def test_all_results_of_a_run_are_shown(run):
    text = show(run.path).stdout
    lines = {" ".join(line.split()) for line in text.splitlines()}
    assert "training alpha=0.1, seed=0" in lines
    assert "training loss █▁▅ 3.000 2.500 2.000 20" in lines
    assert "validation accuracy ▁█▅ 0.2500 0.3750 0.5000 20" in lines
    assert "WER (%) ↓ 9.000 9.000" in lines
    assert "T = 1.2500" in lines
    assert "calibration before after" in lines
    assert "ECE ↓ 0.1200 0.0200" in lines
    assert "students student" in lines
    assert any(line.startswith("information 0.500 [0.400, 0.600] nats") for line in lines)
    assert "sweep, test 3 temperatures, 1 … 2; lowest NLL at T = 1.5" in lines
    assert "beams, test 4, 16" in lines
    assert text.count("Note: made up") == text.count("nrefs:1") == 1
    assert "took 1 s" in lines


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_no_line_is_wider_than_the_terminal(run, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, show(run.path).stdout.splitlines())) <= width


def test_an_unfinished_run_shows_the_command_that_continues_it(run):
    text = show("runs/student").stdout
    assert "distillation  teacher=" in text
    assert "unfinished; continue with: lsk train --resume runs/student" in text


def test_the_command_is_quoted_for_a_shell(run):
    RunDirectory.create("runs/my own", CONFIG)
    assert show("runs/my own").stdout.endswith(": lsk train --resume 'runs/my own'\n")


def test_a_running_run_shows_no_command(run):
    student = RunDirectory("runs/student")
    student.append_history(entry(1000, 3.0))
    with student.lock():
        text = show(student.path).stdout
    assert text.endswith("\nrunning, step 1,000\n")
    assert "--resume" not in text


def test_a_damaged_file_is_reported_and_the_others_are_shown(run):
    run.sweep_file("test").write_text("{")
    text = show(run.path).stdout
    assert "Warning: " in text
    assert "WER (%)" in text


def test_json_has_configuration_history_and_scores(run):
    found = json.loads(show(run.path, "--json").stdout)
    assert found["schema"] == 1
    assert found["metrics"]["test"]["wer"] == 9.0
    assert len(found["history"]) == 3

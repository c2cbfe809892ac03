"""Exit codes: `lsk train … && lsk evaluate …` continues only after success."""

import contextlib
import signal
import sys
from pathlib import Path

import pytest

from ls_base.errors import InputError, LsKerasError, MissingExtraError
from lsk.main import main
from lsk_engine.studies.executors.run_jobs import Terminated
from lsk_engine.training.checkpointing import Interrupted
from lsk_engine.training.divergence import DivergenceError

TRAIN = ["train", "--task", "image", "--set", "data.max_train_examples=60", "--run-dir", "run"]
SWEEP = ["sweep-distillation", "--task", "image", "--preset", "digits-mlp"]
SWEEP += ["--teacher-preset", "digits-mlp", "--out", "sweep"]


@pytest.fixture
def exit_code(monkeypatch, tmp_path):
    """Returns the exit code of a command line."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["lsk", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code

    return run


def raising(error):
    def raise_it(*_, **__):
        raise error

    return raise_it


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_interrupted_training(number, code, exit_code, monkeypatch, capsys):
    stop = raising(Interrupted(3, number))
    monkeypatch.setattr("lsk_engine.experiment.run_experiment", stop)
    assert exit_code(*TRAIN) == code
    assert "stopped after step 3; resume with: lsk train --resume run" in capsys.readouterr().err


def test_the_command_that_continues_is_quoted_for_a_shell(exit_code, monkeypatch, capsys):
    stop = raising(Interrupted(3, signal.SIGINT))
    monkeypatch.setattr("lsk_engine.experiment.run_experiment", stop)
    assert exit_code(*TRAIN[:-1], "my own") == 130
    assert capsys.readouterr().err.endswith("resume with: lsk train --resume 'my own'\n")


def test_diverged_training(exit_code, monkeypatch, capsys):
    stop = raising(DivergenceError("Expected a finite loss. Received: nan"))
    monkeypatch.setattr("lsk_engine.experiment.run_experiment", stop)
    assert exit_code(*TRAIN) == 3
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: Expected a finite loss.")


def test_success(exit_code, monkeypatch):
    monkeypatch.setattr("lsk_engine.experiment.run_experiment", lambda *_, **__: {})
    monkeypatch.setattr("lsk.train.echo_scores", lambda *_: None)
    assert exit_code(*TRAIN) == 0


def test_an_interrupt_that_a_library_turns_into_an_error(exit_code, monkeypatch, capsys):
    """As Keras does while a model is made: `except:`, and on it goes without what was asked for."""

    def within_a_library(*_, **__):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise LsKerasError("Expected a model that can be loaded")

    monkeypatch.setattr("lsk_engine.experiment.run_experiment", within_a_library)
    assert exit_code(*TRAIN) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Interrupted"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_usage(exit_code):
    assert exit_code("train", "--task", "image", "--alpha", "2", "--run-dir", "run") == 2
    assert exit_code("train", "--no-such-option") == 2
    assert exit_code("evaluate", "nowhere") == 2


def test_a_bug_shows_a_traceback(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lsk", *TRAIN])
    monkeypatch.setattr("lsk_engine.experiment.run_experiment", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):  # Python shows the traceback, and ends with 1
        main()


@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt(), 130), (Terminated(signal.SIGTERM), 143)]
)
def test_interrupted_sweep(stop, code, exit_code, monkeypatch):
    monkeypatch.setattr("lsk_engine.studies.run_study.run_study", raising(stop))
    assert exit_code(*SWEEP) == code


@pytest.mark.parametrize("error", [InputError("no data"), MissingExtraError("no package")])
def test_a_failed_start_leaves_no_run_directory(error, exit_code, monkeypatch):
    """So that the same command can be given again, once what was wrong is mended."""
    monkeypatch.setattr("lsk_engine.experiment.run_experiment", raising(error))
    assert exit_code(*TRAIN) == 2
    assert not Path("run").exists()


def test_data_are_read_before_the_run_directory_is_made(exit_code, monkeypatch):
    there = []

    def read(task, config, reporter):
        there.append(Path("run").exists())
        raise InputError("no data")

    monkeypatch.setattr("lsk_engine.experiment.read_data", read)
    assert exit_code(*TRAIN) == 2
    assert there == [False]
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("place", "told"), [("run", "a new or empty run directory"), ("run/deeper", "to write")]
)
def test_an_unusable_run_directory_is_refused_before_data_are_read(
    place, told, exit_code, monkeypatch, capsys
):
    monkeypatch.setattr("lsk_engine.experiment.read_data", raising(InputError("read")))
    Path("run").write_text("a file")
    assert exit_code(*TRAIN[:-1], place) == 2
    assert told in capsys.readouterr().err


def test_a_later_failure_keeps_the_run(exit_code, monkeypatch):
    def train(task, config, run, reporter, *, data, resume, tensorboard):
        run.append_history({"step": 1})
        raise InputError("a source that ends")

    monkeypatch.setattr("lsk_engine.experiment.run_experiment", train)
    assert exit_code(*TRAIN) == 2
    assert Path("run/history.jsonl").is_file()
    assert exit_code("train", "--resume", "run") == 2
    assert Path("run/config.json").is_file()

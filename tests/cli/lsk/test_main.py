"""Imports at start-up, plugins, and usage errors."""

import importlib.metadata
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from ls_base.errors import InputError
from lsk.main import cli
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, metrics

CODE = """
import atexit, json, sys
atexit.register(lambda: open("modules.json", "w").write(json.dumps(list(sys.modules))))
from lsk.main import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["--version"], ["tasks"], ["show", "run"], ["runs", "."]),
        ["report", "run"],
        *(["settings", "image"], ["tasks", "keras"]),
        *(["train", "--help"], ["study", "--help"], ["compare", "--help"]),
    ],
    ids=" ".join,
)
def test_commands_that_only_read_import_no_array_library(arguments, tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    run.write_json(run.metrics_file, metrics(test={"nll": 1.0, "accuracy": 0.5, "loss": 1.0}))
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    imported = {
        name.partition(".")[0] for name in json.loads((tmp_path / "modules.json").read_text())
    }
    assert {"lsk", "lsk_engine"} <= imported
    assert not imported & {"numpy", "keras", "tensorflow", "jax", "torch", "scipy", "matplotlib"}


def test_plugins_are_searched_once_per_call(monkeypatch):
    calls = []
    found = importlib.metadata.entry_points

    def counted(**chosen):
        calls.append(chosen)
        return found(**chosen)

    monkeypatch.setattr(importlib.metadata, "entry_points", counted)
    for _ in range(2):
        calls.clear()
        context = click.Context(cli)
        names = cli.list_commands(context)
        assert "translate" in names
        assert all(cli.get_command(context, name) for name in names)
        assert len(calls) == 1


def test_a_misspelled_kind_of_study_has_a_near_match():
    with pytest.raises(InputError, match="Near matches: smoothing. Received: 'smothing'"):
        CliRunner().invoke(cli, ["study", "smothing"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["probe", "run"], "Expected --classes A,B (two classes, by name or number)."),
        (["show"], "Expected RUN. Received: none"),
        (["distill"], "Expected --teacher RUN (the teacher: a finished run of the same task)."),
        (["train", "--aplha", "0.1"], "Near matches: --alpha"),
        (
            ["show", "a", "b"],
            "Expected no argument after those of `lsk show` (a path with spaces needs quotes). "
            "Received: b\n",
        ),
        (["report", "-o", "x"], "Expected an option that `lsk report` has. Received: '-o'"),
        (["train", "--alpha", "x"], "Invalid value for '--alpha'"),
    ],
)
def test_usage_errors_have_the_form_of_other_errors(arguments, message):
    done = CliRunner().invoke(cli, arguments, prog_name="lsk")
    assert done.exit_code == 2
    assert message in done.stderr

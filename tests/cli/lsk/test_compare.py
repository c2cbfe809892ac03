"""`lsk compare`, on runs written by the test."""

import json

import pytest
from click.testing import CliRunner

from ls_base.errors import FileError
from lsk.main import cli
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, metrics


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for alpha in (0.0, 0.1):
        config = {**CONFIG, "training": {"alpha": alpha, "seed": 0}}
        run = RunDirectory.create(f"a{alpha:g}", config)
        run.write_json(run.metrics_file, metrics({"wer": "WER %"}, dev={"nll": 1.0, "wer": 9.0}))


def compare(*arguments):
    return CliRunner().invoke(cli, ["compare", *arguments], catch_exceptions=False)


def test_runs_are_compared_by_seed(folder):
    done = compare("a0", "a0.1", "--split", "dev")
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["Means", "over", "seeds,", "dev", "hard", "α", "0.1"]
    assert ["WER", "%", "9.000", "9.000"] in lines
    assert ["WER", "%", "+0.0"] in lines
    assert "that takes two seeds" in done.stdout
    found = json.loads(compare("a0", "a0.1", "--split", "dev", "--json").stdout)
    assert [group["runs"] for group in found["groups"]] == [{"0": "a0"}, {"0": "a0.1"}]


def test_a_missing_run_is_refused(folder):
    with pytest.raises(FileError, match="Received: nowhere"):
        compare("a0", "nowhere")
    assert compare().exit_code == 2

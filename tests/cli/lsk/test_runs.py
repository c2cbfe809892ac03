"""`lsk runs`, on runs written by the test."""

import json

import pytest
from click.testing import CliRunner

from ls_base.errors import InputError
from lsk.main import cli
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, metrics


def runs(*arguments):
    return CliRunner().invoke(cli, ["runs", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunDirectory.create("runs/done", CONFIG)
    scores = {"nll": 1.0, "wer": 6.7}
    run.write_json(run.metrics_file, metrics({"wer": "WER %"}, validation=scores))
    RunDirectory.create(f"runs/{'deep/' * 12}last", CONFIG)
    return tmp_path / "runs"


def test_each_run_is_a_line(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = runs()
    assert done.exit_code == 0, done.output
    head, deep, finished, count = done.stdout.splitlines()
    assert head.split() == ["run", "state", "written", "score"]
    words = finished.split()
    assert words[:2] + words[3:] == ["done", "finished", "s", "ago", "WER", "%", "6.70"]
    assert deep.startswith("…")
    assert "/deep/last  stopped" in deep
    assert deep.endswith("step 0")
    assert len(deep) <= 80
    assert count == "2 runs in runs"


def test_damage_is_explained_below_the_table(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (folder / "done" / "metrics.json").write_text("{")
    lines = runs().stdout.splitlines()
    (row,) = (line for line in lines if line.startswith("done "))
    assert row.split()[1:2] + row.split()[-2:] == ["damaged", "see", "below"]
    notes = lines[3:-1]
    assert notes[0].startswith("Damaged: Expected ")
    assert "runs/done/metrics.json" in " ".join(notes)
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "2 runs in runs"


def test_json_has_full_paths(folder):
    found = json.loads(runs(folder, "--json").stdout)["runs"]
    assert [run["path"] for run in found] == [
        str(folder / ("deep/" * 12) / "last"),
        str(folder / "done"),
    ]
    assert found[1]["score"] == ["wer", "WER %", 6.7]


def test_a_missing_folder_is_refused(folder):
    with pytest.raises(InputError, match="Received: nowhere"):
        runs("nowhere")

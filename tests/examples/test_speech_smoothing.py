import json
import runpy
from pathlib import Path

import finished_runs
import pytest

import small_speech
from lsk.main import cli

EXAMPLE = Path(__file__).parents[2] / "examples" / "speech_smoothing.py"


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_sequence_runs_and_its_table_is_the_runs(tmp_path, monkeypatch, capsys):
    """In this process: four of their own would take half a minute to start."""
    called = []

    def lsk(*arguments):
        called.append(arguments)
        cli.main([*arguments, "-q", "--json"], standalone_mode=False)

    monkeypatch.setattr(finished_runs, "lsk", lsk)
    out = tmp_path / "out"
    settings = [f"--set={k}={v}" for k, v in small_speech.settings(tmp_path / "data").items()]
    command = [str(EXAMPLE), "--out", str(out), "--alpha", "0.2", "--", *settings]
    monkeypatch.setattr("sys.argv", command)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    table = (out / "smoothing.md").read_text()
    assert capsys.readouterr().out.endswith(table)
    assert len(called) == 4
    rows = json.loads((out / "smoothing.json").read_text())
    assert [row["targets"] for row in rows] == ["hard", "uniform", "unigram", "neighborhood"]
    for row in rows:
        run = out / f"{row['targets']}-seed0"
        scores = json.loads((run / "metrics.json").read_text())
        assert row["WER %"] == scores["test"]["wer"]
        training = json.loads((run / "config.json").read_text())["training"]
        if row["targets"] == "hard":
            assert training["alpha"] == 0
        else:
            assert (training["alpha"], training["smoothing"]) == (0.2, row["targets"])
    (out / "smoothing.md").unlink()
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert len(called) == 4  # nothing is trained again
    assert (out / "smoothing.md").read_text() == table


def test_means_and_paired_differences():
    table_lines = runpy.run_path(str(EXAMPLE))["table_lines"]
    rows = [
        {"targets": targets, "speaker": "ann", "seed": seed, "WER %": w, "NLL": 1.0, "ECE": 0.1}
        for seed, wers in ((0, (10.0, 8.0)), (1, (20.0, 16.0)))
        for targets, w in zip(("hard", "uniform"), wers, strict=True)
    ]
    lines = table_lines(rows)
    assert lines[2] == "| WER %, ann, seed 0 | 10.0 | 8.0 |"
    assert lines[4] == "| **WER %, mean** | 15.0 | 12.0 |"
    assert lines[5] == "| WER %, − hard | | -3.0 ± 1.0 |"

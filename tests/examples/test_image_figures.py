import json
import runpy
import signal
import sys
from pathlib import Path

import pytest

from lsk_engine.training.training_log import TrainingLog

EXAMPLE = Path(__file__).parents[2] / "examples" / "image_figures.py"
TRAIN = {
    "training.steps": "4",
    "training.validate_every": "9",
    "training.checkpoint_every": "2",
    "training.checkpoints_kept_every": "2",
    "data.examples": "60",
    "data.validation": "30",
    "data.test": "30",
    "model.width": "8",
}


def stop(log, batch, logs=None):
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_sequence_runs_and_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    settings = [f"--set={key}={value}" for key, value in TRAIN.items()]
    command = ["--out", str(out), "--classes", "3,8,5", "--pair", "3,8", "--", *settings]
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *command])
    with monkeypatch.context() as patch:
        patch.setattr(TrainingLog, "on_train_batch_end", stop)
        with pytest.raises(SystemExit, match="143"):
            runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "go on with: lsk train --resume" in capsys.readouterr().err
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    table = capsys.readouterr().out
    rows = json.loads((out / "figures.json").read_text())
    assert list(rows) == ["α = 0", "α = 0.1"]
    for run, row in zip(("alpha0", "alpha0.1"), rows.values(), strict=True):
        scores = json.loads((out / run / "metrics.json").read_text())
        assert row["test ECE"] == scores["test"]["ece"]
        assert 0 < row["T fitted"] < 100
        history = json.loads((out / run / "evaluation" / "mutual-information.json").read_text())
        assert [entry["step"] for entry in history] == [2, 4]
        assert row["mutual information, last"] == history[-1]["mutual_information"]
    statistics = json.loads((out / "projection-statistics.json").read_text())
    spreads = [entry["train"]["in_span"]["relative_spread"] for entry in statistics["runs"]]
    assert [row["spread / distance of means, train"] for row in rows.values()] == spreads
    assert f"| test ECE | {rows['α = 0']['test ECE']:.3f} |" in table
    drawn = ("projection", "projection-own-axes", "reliability", "mutual-information")
    assert all((out / f"{name}.png").is_file() for name in drawn)
    (out / "figures.json").unlink()
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out == table

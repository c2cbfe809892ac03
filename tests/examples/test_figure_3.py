import json
import subprocess
import sys
from pathlib import Path

import pytest

import small_translation

EXAMPLE = Path(__file__).parents[2] / "examples" / "figure_3.py"


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_sequence_runs_and_goes_on_where_it_stopped(tmp_path):
    settings = small_translation.settings(tmp_path)
    more = [f"--set={key}={value}" for key, value in settings.items()]
    command = [sys.executable, EXAMPLE, "--out", tmp_path / "out", "--seeds", "0", "--"]
    command = [*map(str, command), "--steps", "4", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "out" / "figure_3.json").read_text())
    hard = json.loads((tmp_path / "out" / "alpha0-seed0" / "metrics.json").read_text())
    assert row["ECE α=0"] == hard["test"]["ece"]
    assert "T fitted α=0.1" in done.stdout
    (points,) = (
        float(line.split("|")[2]) for line in done.stdout.splitlines() if "ECE α=0 " in line
    )
    assert points == pytest.approx(row["ECE α=0"], abs=5e-4)
    assert 0 < row["mean confidence α=0"] < 1
    assert (tmp_path / "out" / "reliability-seed0.png").is_file()
    (tmp_path / "out" / "figure_3.json").unlink()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.stdout == done.stdout

import json
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "distillation.py"


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_four_curves_have_their_points(tmp_path, monkeypatch, capsys):
    out = tmp_path / "points.json"
    options = ["--seeds", "1", "--epochs", "1", "--alphas", "0", "0.3", "--temperatures", "8"]
    monkeypatch.setattr(sys, "argv", ["distillation.py", "--out", str(out), *options])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    points = {(p["curve"], p["setting"]): p for p in json.loads(out.read_text())}
    assert len(points) == 6  # 2 teachers, 2 students alone, 1 temperature, 1 smoothed teacher
    assert 0 < points["student, hard teacher", 8.0]["gamma"] < 1
    assert 0 < points["student, smooth teacher", 0.3]["gamma"] < 1
    assert points["student alone", 0.3]["gamma"] == 0.3
    assert points["teacher", 0.0]["error"] < 30
    assert all(0 <= p["error"] <= 100 for p in points.values())
    assert "student, hard teacher" in capsys.readouterr().out

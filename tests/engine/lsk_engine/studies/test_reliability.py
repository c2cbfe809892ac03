"""Reliability curves of several runs in one diagram."""

import csv
import json

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.scoring.position_statistics import COLUMNS, Predictions
from lsk_engine.studies import reliability as module
from lsk_engine.studies.reliability import compare_reliability
from stored_files import CONFIG


@pytest.fixture
def made(tmp_path, rng):
    """Returns a function that writes an evaluated run."""

    def make(name, alpha=0.0, seed=0, task="tiny", source="digits", scaled=False, **training):
        config = {
            **CONFIG,
            "task": task,
            "training": {"alpha": alpha, "seed": seed, **training},
            "data": {"source": source},
        }
        run = RunDirectory.create(tmp_path / name, config)
        for calibrated in (False, True)[: 1 + scaled]:
            confidence = rng.uniform(0.2, 1, 60).astype(np.float32)
            columns = dict.fromkeys(COLUMNS, confidence)
            columns["correct"] = (rng.random(60) < confidence).astype(np.float32)
            file = run.statistics_file("test", calibrated=calibrated)
            run.write(file, Predictions(columns, np.arange(60)).to_bytes())
        if scaled:
            calibration = {"schema": 1, "method": "temperature", "temperature": 1.5}
            run.write_json(run.calibration_file, calibration)
        return run

    return make


@pytest.fixture
def drawn(monkeypatch):
    """Returns what diagrams were drawn: curves by name, and the smoothed ones."""
    found = []
    whole = module.reliability_diagram

    def reliability_diagram(curves, **options):
        found.append((options["title"], curves, options["smooth"]))
        return whole(curves, **options)

    monkeypatch.setattr(module, "reliability_diagram", reliability_diagram)
    return found


def test_a_run_has_a_curve_for_each_of_its_models(made, drawn, tmp_path):
    run = made("a", 0.1, scaled=True)
    found = compare_reliability([run], "test", tmp_path / "out.png", smooth=True)
    assert [one.name for one in found] == ["α = 0.1", "α = 0.1, temperature scaling"]
    assert [one.curve.temperature for one in found] == [None, 1.5]
    ((title, curves, smooth),) = drawn
    assert title == "Reliability: tiny, test"
    assert [*curves] == [*smooth] == [one.name for one in found]
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert {row["kind"] for row in rows} == {"bin", "smooth"}
    assert "panel" not in rows[0]
    assert (tmp_path / "out.svg").is_file()
    for models, name in (("as-trained", "α = 0.1"), ("scaled", "α = 0.1, temperature scaling")):
        (one,) = compare_reliability([run], "test", tmp_path / "out.png", models=models)
        assert one.name == name


def test_each_task_and_data_set_has_its_own_panel(made, drawn, tmp_path):
    runs = [made("a"), made("b", task="other"), made("c", 0.1), made("d", source="/x/mnist")]
    found = compare_reliability(runs, "test", tmp_path / "out.png")
    assert [title for title, *_ in drawn] == [
        "Reliability: tiny, digits, test",
        "Reliability: other, test",
        "Reliability: tiny, mnist, test",
    ]
    assert [[*curves] for _, curves, _ in drawn] == [["α = 0", "α = 0.1"], ["α = 0"], ["α = 0"]]
    rows = json.loads((tmp_path / "out.json").read_text())
    assert {row["panel"] for row in rows} == {one.panel for one in found}


def test_more_than_six_curves_are_drawn_by_setting(made, drawn, tmp_path):
    runs = [made(f"{a}-{s}", a, s) for a in (0.0, 0.1) for s in range(3)]
    compare_reliability(runs, "test", tmp_path / "out.png")
    assert [len(of) for of in drawn.pop()[1].values()] == [1] * 6
    runs.append(made("more", 0.1, 3))
    found = compare_reliability(runs, "test", tmp_path / "out.png", smooth=True)
    ((_, curves, smooth),) = drawn
    assert {name: len(of) for name, of in curves.items()} == {"α = 0": 3, "α = 0.1": 4}
    assert smooth is None
    assert found[-1].name == "α = 0.1 (more)"  # each has a name of its own
    drawn.clear()
    runs.append(made("longer", 0.1, 3, epochs=9))
    compare_reliability(runs, "test", tmp_path / "out.png")
    assert {name: len(of) for name, of in drawn[0][1].items()} == {
        "hard, epochs None": 3,
        "α 0.1, epochs None": 4,
        "α 0.1, epochs 9": 1,
    }


def test_too_many_settings_are_refused(made, tmp_path):
    runs = [made(str(n), n / 10, scaled=True) for n in range(4)]
    with pytest.raises(InputError, match=r"fewer RUNS, or use --only .* 8 of tiny \(α = 0, "):
        compare_reliability(runs, "test", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()
    assert len(compare_reliability(runs, "test", tmp_path / "out.png", models="scaled")) == 4


def test_missing_scaled_models_are_refused(made, tmp_path):
    with pytest.raises(InputError, match="evaluate --calibrated"):
        compare_reliability([made("a")], "test", tmp_path / "out.png", models="scaled")


def test_runs_in_folders_with_the_same_name_have_different_names(made, drawn, tmp_path):
    runs = [made("a/run"), made("b/run")]
    found = compare_reliability(runs, "test", tmp_path / "out.png")
    assert [one.name for one in found] == [f"α = 0 ({run.path})" for run in runs]
    ((_, curves, _),) = drawn
    assert len(curves) == 2

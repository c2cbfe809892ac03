"""The sweep over temperatures, on a task that takes a second."""

import csv
import dataclasses
import io

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.schemas import SweepPoints
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.scoring.temperature_sweep import sweep_temperature
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.contract import Scores
from tiny_task import DecodingConfig, TinyTask

pytestmark = pytest.mark.tensorflow


@dataclasses.dataclass(frozen=True)
class WithTemperature(DecodingConfig):
    temperature: float = 1.0


class SweepTask(TinyTask):
    """Scores that say which temperature they were decoded at."""

    decoding_config = WithTemperature

    def __init__(self):
        self.decoded = []

    def decode(self, model, examples, config, data, progress):
        self.decoded.append(config.decoding.temperature)
        return [config.decoding.temperature] * len(examples)

    def score(self, examples, outputs):
        value = float(np.mean(outputs))
        return Scores({"t": value}, {"t": "T"}, intervals={"t": (value - 1, value + 1)})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    task = SweepTask()
    resolved = resolve_config(task, None, {})
    directory = RunDirectory.create(tmp_path_factory.mktemp("sweep") / "run", resolved.to_dict())
    run_experiment(task, resolved, directory, Reporter(verbosity=-1))
    return StoredRun(directory, task, resolved)


def test_every_temperature_is_decoded_once_and_kept(run, tmp_path):
    silent = Reporter(verbosity=-1)
    run.task.decoded.clear()
    sweep_temperature([run], [0.5, 1.0], tmp_path / "a.png", silent)
    assert run.task.decoded == [0.5, 1.0]
    rows = sweep_temperature([run], [0.5, 1.0, 2.0], tmp_path / "a.png", silent)
    assert run.task.decoded == [0.5, 1.0, 2.0]
    assert [(row["temperature"], row["t"], row["t_low"]) for row in rows] == [
        (t, t, t - 1) for t in (0.5, 1.0, 2.0)
    ]
    metrics = evaluate(run.task, run.config, run.directory, silent)["validation"]
    assert rows[1]["nll"] == pytest.approx(metrics["nll"], rel=1e-5)
    assert rows[1]["ece"] == pytest.approx(metrics["ece"], abs=1e-5)
    kept = run.directory.read(run.directory.sweep_file("validation"), SweepPoints).points
    assert [(point.nll, point.ece) for point in kept] == [(row["nll"], row["ece"]) for row in rows]
    with (tmp_path / "a.csv").open() as file:
        assert [float(row["ece"]) for row in csv.DictReader(file)] == [r["ece"] for r in rows]


def test_points_of_another_model_are_not_taken(run, tmp_path):
    silent = Reporter(verbosity=-1)
    sweep_temperature([run], [3.0], tmp_path / "a.png", silent)
    model = run.directory.load_model()
    weights = model.get_weights()
    try:
        model.set_weights([w + 0.1 for w in weights])
        run.directory.save_model(model)
        run.task.decoded.clear()
        sweep_temperature([run], [3.0], tmp_path / "a.png", silent)
        assert run.task.decoded == [3.0]
    finally:
        model.set_weights(weights)
        run.directory.save_model(model)


def test_runs_given_twice_and_unknown_splits_are_refused(run, tmp_path):
    silent = Reporter(verbosity=-1)
    with pytest.raises(InputError, match="different runs of one task"):
        sweep_temperature([run, run], [1.0], tmp_path / "a.png", silent)
    with pytest.raises(InputError, match="Expected a split of train, validation, test"):
        sweep_temperature([run], [1.0], tmp_path / "a.png", silent, split="dev")


@dataclasses.dataclass(frozen=True)
class WithUnsmooth(DecodingConfig):
    temperature: float = 1.0
    unsmooth: float | str = 0.0


def test_points_from_before_there_was_unsmooth_are_found_and_those_with_it_apart(run, tmp_path):
    silent, said = Reporter(verbosity=-1), io.StringIO()
    sweep_temperature([run], [4.0], None, silent)
    run.task.decoded.clear()
    later = run._replace(config=dataclasses.replace(run.config, decoding=WithUnsmooth()))
    sweep_temperature([later], [4.0], None, silent)
    assert run.task.decoded == []
    decoding = WithUnsmooth(unsmooth="fitted")
    undoing = run._replace(config=dataclasses.replace(run.config, decoding=decoding))
    sweep_temperature([undoing], [4.0], None, Reporter(stream=said))
    assert run.task.decoded == [4.0]
    assert (
        "smoothing α = 0.1 undone; NLL and ECE are those of the model as it is" in said.getvalue()
    )


def test_points_of_a_task_that_scored_less_stay(run, tmp_path, monkeypatch):
    """A sweep of an earlier version goes on with what both have."""
    silent = Reporter(verbosity=-1)
    sweep_temperature([run], [5.0], None, silent)

    def score(examples, outputs):
        value = float(np.mean(outputs))
        return Scores({"t": value, "more": 1.0}, {"t": "T", "more": "more"})

    monkeypatch.setattr(run.task, "score", score)
    rows = sweep_temperature([run], [5.0, 6.0], tmp_path / "a.png", silent)
    assert [list(row) for row in rows] == [["run", "alpha", "temperature", "t", "nll", "ece"]] * 2

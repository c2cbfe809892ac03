"""Measurements of a finished run are the same on one device and on two."""

import keras
import pytest

from lsk_engine.progress import Reporter
from lsk_engine.scoring.calibrate import calibrate
from lsk_engine.scoring.evaluate_new_data import evaluate_new
from lsk_engine.scoring.project import project_runs
from lsk_engine.scoring.rank import rank
from lsk_engine.scoring.sweeps import sweep_temperature
from lsk_engine.scoring.teacher_gamma import teacher_gammas
from tiny_task import TinyTask
from untrained_run import untrained_run

pytestmark = pytest.mark.tensorflow

QUIET = Reporter(verbosity=-1)


def ranked(stored, folder):
    return rank(stored, QUIET)


def projected(stored, folder):
    return project_runs([stored], QUIET, folder / "plane.png", classes=("a", "b", "c"))


def calibrated(stored, folder, **options):
    found = calibrate(stored.task, stored.config, stored.directory, QUIET, **options)
    del found["run"]
    return found


def vector_scaled(stored, folder):
    return calibrated(stored, folder, method="vector")


def swept(stored, folder):
    return sweep_temperature([stored], [0.5, 2.0], None, QUIET)


def evaluated_again(stored, folder):
    found = evaluate_new(stored.task, stored.config, stored.directory, QUIET)
    return found["calibration"]


def gammas_of(stored, folder):
    return teacher_gammas(stored.task, [stored.directory], [[1.0, 4.0]], QUIET)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "measure",
    [
        calibrated,
        swept,
        *(
            pytest.param(measure, marks=pytest.mark.slow)
            for measure in (ranked, projected, vector_scaled, evaluated_again, gammas_of)
        ),
    ],
)
def test_two_devices_give_the_same_numbers_as_one(tmp_path, monkeypatch, measure):
    monkeypatch.setattr("lsk_engine.scoring.project.save_plot", lambda *_, **__: None)
    used: list[int] = []
    for method in ("predict_on_batch", "predict_step"):  # by which models are read, all of them
        watch(monkeypatch, method, used)
    found = []
    for strategy in ("one-device", "mirrored"):
        settings = {"training.strategy": strategy, "training.batch_size": 7}
        stored = untrained_run(TinyTask(), tmp_path / strategy, **settings)
        used.clear()
        found.append(measure(stored, tmp_path))
        assert set(used) == {1 + (strategy == "mirrored")}
    one, two = (flat(values) for values in found)
    assert one.keys() == two.keys()
    numbers = 0
    for name, value in one.items():
        if isinstance(value, float):
            numbers += 1
            assert two[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    assert numbers


def watch(monkeypatch, method, used):
    """Notes on how many devices a model is that is read."""
    before = getattr(keras.Model, method)

    def noted(self, *arguments, **options):
        used.append(self.distribute_strategy.num_replicas_in_sync)
        return before(self, *arguments, **options)

    monkeypatch.setattr(keras.Model, method, noted)


def flat(values):
    """Returns the leaves of nested dicts and lists by their paths."""
    return {str(path): leaf for path, leaf in keras.tree.flatten_with_path(values)}

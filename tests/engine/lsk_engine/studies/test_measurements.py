"""Each measure on a run of a task that trains in a second, against the stage that computes it."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ls_base.errors import InputError
from ls_keras.calibration import logit_norm_confidence, risk_coverage
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.scoring.mutual_information import probe
from lsk_engine.scoring.project import project_runs
from lsk_engine.scoring.rank import NORMS
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.studies.measurements import (
    MEASUREMENTS,
    TEMPERATURES,
    check_measures,
    measure,
    numbers_of,
    own_numbers,
)
from lsk_engine.tasks.contract import Scores
from tiny_points import TinyPoints
from tiny_task import DecodingConfig, TinyTask

pytestmark = pytest.mark.tensorflow
QUIET = Reporter(verbosity=-1)


@dataclasses.dataclass(frozen=True)
class Search(DecodingConfig):
    beam_size: int = 1
    temperature: float = 1.0


class SweptTask(TinyTask):
    """A task whose score is best at T = 1.1."""

    decoding_config = Search
    better = "less"

    def decode(self, model, examples, config, data, progress):
        return [config.decoding.temperature] * len(examples)

    def score(self, examples, outputs):
        value = abs(float(np.mean(outputs)) - 1.1) + len(examples)
        known = {"off": self.better} if self.better else {}
        return Scores({"off": value}, {"off": "off (%)"}, better=known)


class SilentTask(SweptTask):
    better = None


def finished(task, folder):
    config = resolve_config(task, None, {})
    run = RunDirectory.create(folder / "run", config.to_dict())
    run_experiment(task, config, run, QUIET)
    return StoredRun(run, task, config)


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    return finished(TinyPoints(), tmp_path_factory.mktemp("points"))


def test_each_measure_yields_its_numbers(points):
    for name in ("accuracy", "calibration", "ranking", "representation", "information"):
        found = measure(name, points, QUIET)
        assert set(found) <= {"train", "validation", "test"}
        for numbers in found.values():
            known = {*MEASUREMENTS[name].numbers, *own_numbers(points.directory.read_metrics())}
            assert set(numbers) <= known
            assert set(MEASUREMENTS[name].numbers) <= set(numbers)
            assert all(np.isfinite(value) for value in numbers.values())


def test_numbers_match_the_stages(points, tmp_path):
    run, task, config = points
    metrics = run.read_metrics()
    accuracy = measure("accuracy", points, QUIET)["test"]
    assert accuracy["nll"] == metrics.splits["test"]["nll"]
    assert accuracy["score"] == metrics.splits["test"]["right"]
    calibration = measure("calibration", points, QUIET)
    scaled = json.loads(run.calibrated_metrics_file.read_text())
    assert calibration["test"]["ece"] == metrics.splits["test"]["ece"]
    assert calibration["test"]["nll_calibrated"] == scaled["test"]["nll"]
    assert calibration["validation"]["temperature"] == run.read_calibration().temperature
    with np.load(run.statistics_file("test")) as statistics:
        ranking = measure("ranking", points, QUIET)["test"]
        assert ranking["auroc"] == pytest.approx(
            roc_auc_score(statistics["correct"], statistics["confidence"])
        )
        curve = risk_coverage(statistics["correct"], statistics["confidence"])
        assert (ranking["aurc"], ranking["eaurc"]) == pytest.approx((curve.aurc, curve.excess))
    counts = task.load_data(config).class_counts
    most = [str(i) for i in np.argsort(-counts, kind="stable")]
    results = project_runs([points], QUIET, tmp_path / "p.png", classes=most[:3])
    for split, numbers in measure("representation", points, QUIET).items():
        values = results["runs"][0][split]
        assert numbers["relative_spread"] == values["in_span"]["relative_spread"]
        assert numbers["confidence_spread"] == values["confidence_spread"]
    curve = probe(task, config, run, QUIET, tmp_path / "i.png", classes=most[:2])
    assert measure("information", points, QUIET) == {
        "train": {"mutual_information": curve["history"][-1]["mutual_information"]}
    }


def test_the_norm_is_chosen_on_validation(points):
    found = measure("ranking", points, QUIET)
    data = points.task.load_data(points.config)
    model = points.directory.load_model()
    areas = {}
    for split in ("validation", "test"):
        inputs, labels = data.splits[split].gather(np.arange(len(data.splits[split])), None)
        z = model.predict(inputs, verbose=0)
        for p in NORMS:
            confidence = logit_norm_confidence(z, p)
            areas[split, p] = risk_coverage(z.argmax(-1) == labels, confidence).aurc
    best = min(NORMS, key=lambda p: areas["validation", p])
    assert {split: numbers["norm_p"] for split, numbers in found.items()} == {
        "validation": best,
        "test": best,
    }
    assert found["test"]["aurc_normalized"] == pytest.approx(areas["test", best])


def test_a_measure_is_repeated_only_for_another_model(points, monkeypatch):
    taken = []

    def take(run, reporter):
        taken.append(run.directory.path.name)
        return {"test": {"accuracy": 0.5, "nll": float("nan")}}

    kept = dataclasses.replace(MEASUREMENTS["accuracy"], take=take)
    monkeypatch.setitem(MEASUREMENTS, "twice", kept)
    first, second = (measure("twice", points, QUIET) for _ in range(2))
    assert taken == ["run"]
    assert str(first) == str(second)  # NaN is not equal to itself
    model = points.directory.load_model()
    model.set_weights([w + 0.1 for w in model.get_weights()])
    points.directory.save_model(model)
    measure("twice", points, QUIET)
    assert taken == ["run", "run"]


@pytest.mark.slow
def test_the_best_temperature_is_chosen_on_validation(tmp_path):
    run = finished(SweptTask(), tmp_path)
    found = measure("beam", run, QUIET)
    assert 1.1 in TEMPERATURES
    assert {split: values["best_temperature"] for split, values in found.items()} == {
        "validation": 1.1,
        "test": 1.1,
    }
    assert found["test"]["best_score"] == 9  # examples, and off by nothing
    drawn = (run.directory.evaluation / "temperature-sweep.csv").read_text().splitlines()
    assert len(drawn) == 1 + len(TEMPERATURES)  # validation's curve, not another split's point
    numbers = own_numbers(run.directory.read_metrics())
    assert numbers["best_score"].label == "off (%), best T"
    called = ("off", "score", "best_score", "student_score", "teacher_score", "transfer")
    assert {numbers[name].better for name in called} == {"less"}


def test_a_beam_measure_needs_the_better_side(tmp_path):
    run = finished(SilentTask(), tmp_path)
    assert own_numbers(run.directory.read_metrics())["score"].better is None
    with pytest.raises(InputError, match="whether less or more off is better"):
        measure("beam", run, QUIET)


def test_unknown_measures_are_refused():
    check_measures(list(MEASUREMENTS), SweptTask())
    with pytest.raises(InputError, match="Near matches: calibration"):
        check_measures(["calibratoin"], SweptTask())
    with pytest.raises(InputError, match="without beam for a task without search"):
        check_measures(["accuracy", "beam"], TinyPoints())


def test_numbers_of_measures_have_different_names():
    names = [name for one in MEASUREMENTS.values() for name in one.numbers]
    assert len(names) == len(numbers_of(list(MEASUREMENTS)))

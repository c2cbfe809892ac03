"""Sweeps over beams and temperatures, on a task that trains in a second."""

import csv
import dataclasses
import io

import pytest

from ls_base.errors import InputError
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.schemas import SweepPoints
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.scoring.sweeps import sweep_beams, sweep_temperature
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.contract import Scores
from tiny_task import DecodingConfig, TinyTask

pytestmark = pytest.mark.tensorflow
SILENT = Reporter(verbosity=-1)


@dataclasses.dataclass(frozen=True)
class WithSearch(DecodingConfig):
    beam_size: int = 4
    batch_size: int = 8
    temperature: float = 1.0
    unsmooth: float | str = 0.0


class SearchTask(TinyTask):
    """A task whose score depends on the number of beams, the removed α and the temperature."""

    decoding_config = WithSearch

    def __init__(self):
        self.decoded = []

    def decode(self, model, examples, config, data, progress):
        search = config.decoding
        self.decoded.append((search.beam_size, search.unsmooth, search.temperature))
        return [search.beam_size * search.temperature + (search.unsmooth != 0) / 2] * len(examples)

    def score(self, examples, outputs):
        value = outputs[0]
        return Scores({"b": value}, {"b": "B"}, intervals={"b": (value - 1, value + 1)})


def finished(folder, **settings):
    task = SearchTask()
    resolved = resolve_config(task, None, settings)
    directory = RunDirectory.create(folder, resolved.to_dict())
    run_experiment(task, resolved, directory, SILENT)
    return StoredRun(directory, task, resolved)


@pytest.fixture(scope="module")
def smoothed(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("smoothed") / "run")


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("hard") / "run", **{"training.alpha": "0"})


@pytest.fixture(autouse=True)
def _remove_points(smoothed, hard):
    for run in (smoothed, hard):
        run.task.decoded.clear()
        run.directory.sweep_file("validation").unlink(missing_ok=True)


def with_search(run, **decoding):
    return run._replace(config=dataclasses.replace(run.config, decoding=WithSearch(**decoding)))


def stored_points(run):
    return run.directory.read(run.directory.sweep_file("validation"), SweepPoints).points


def test_each_beam_search_is_decoded_once_and_stored(smoothed):
    log = io.StringIO()
    rows, labels = sweep_beams([smoothed], [1, 8], [0, "fitted"], Reporter(stream=log))
    expected = [(1, 0, 1.0), (8, 0, 1.0), (1, "fitted", 1.0), (8, "fitted", 1.0)]
    assert smoothed.task.decoded == expected
    assert [(row["undone_alpha"], row["beam_size"], row["b"], row["b_low"]) for row in rows] == [
        (0.0, 1, 1.0, 0.0),
        (0.0, 8, 8.0, 7.0),
        (0.1, 1, 1.5, 0.5),
        (0.1, 8, 8.5, 7.5),
    ]
    assert labels == {"b": "B"}
    assert (rows[0]["run"], rows[0]["alpha"]) == (str(smoothed.directory.path), 0.1)
    assert "run, beam 8, α = 0.1 undone:  B 8.50" in log.getvalue()
    again = sweep_beams([smoothed], [1, 2, 8], [0], SILENT)
    assert smoothed.task.decoded == [*expected, (2, 0, 1.0)]
    assert [row["b"] for row in again.rows] == [1.0, 2.0, 8.0]
    sweep_beams([with_search(smoothed, batch_size=2)], [1, 8], [0, 0.1], SILENT)
    assert smoothed.task.decoded == [*expected, (2, 0, 1.0)]  # equivalent settings


def test_fitted_removes_nothing_from_a_run_with_hard_targets(hard):
    log = io.StringIO()
    rows, _ = sweep_beams([hard], [1, 2], [0, "fitted"], Reporter(stream=log))
    assert len(hard.task.decoded) == 2
    assert [row["undone_alpha"] for row in rows] == [0.0, 0.0]
    assert "fitted has no effect: the run was trained with α = 0" in log.getvalue()


def test_the_removed_alpha_is_the_runs_own_by_default(smoothed):
    (row,), _ = sweep_beams([with_search(smoothed, unsmooth=0.05)], [2], [None], SILENT)
    assert row["undone_alpha"] == 0.05


def test_sweeps_over_beams_and_temperatures_share_their_points(smoothed):
    sweep_beams([smoothed], [4], [0], SILENT)
    assert [(p.beam_size, p.undone_alpha, p.nll) for p in stored_points(smoothed)] == [
        (4, 0.0, None)
    ]
    (row,) = sweep_temperature([smoothed], [1.0], None, SILENT)  # with beam 4, the default
    (point,) = stored_points(smoothed)
    assert (point.nll, point.ece, point.beam_size) == (row["nll"], row["ece"], 4)
    sweep_beams([smoothed], [4], [0], SILENT)
    assert stored_points(smoothed) == [point]
    assert len(smoothed.task.decoded) == 1


def test_a_run_without_scores_can_be_swept(smoothed):
    content = smoothed.directory.metrics_file.read_bytes()
    smoothed.directory.metrics_file.unlink()
    try:
        assert sweep_beams([smoothed], [1], [0], SILENT).labels == {"b": "B"}
    finally:
        smoothed.directory.metrics_file.write_bytes(content)


def test_invalid_sweeps_are_refused_before_decoding(smoothed, hard):
    with pytest.raises(InputError, match="different runs of one task"):
        sweep_beams([smoothed, smoothed], [1], [0], SILENT)
    with pytest.raises(InputError, match="at least one number of beams and one α"):
        sweep_beams([smoothed], [], [0], SILENT)
    with pytest.raises(InputError, match="Expected a split of train, validation, test"):
        sweep_beams([smoothed, hard], [1], [0], SILENT, split="dev")
    distillation = DistillationConfig(teacher="t", teacher_sha256="0")
    student = dataclasses.replace(smoothed.config, distillation=distillation)
    path = smoothed.directory.path
    with pytest.raises(InputError, match=f"{path}: Expected decoding.unsmooth=0 for a"):
        sweep_beams([hard, smoothed._replace(config=student)], [1], ["fitted"], SILENT)
    bare = dataclasses.replace(smoothed.config, decoding=DecodingConfig())
    with pytest.raises(InputError, match=f"{path}: Expected a task whose decoding has"):
        sweep_beams([smoothed._replace(config=bare)], [1], [0], SILENT)
    assert smoothed.task.decoded == hard.task.decoded == []


def test_each_temperature_is_decoded_once_and_stored(smoothed, tmp_path):
    sweep_temperature([smoothed], [0.5, 1.0], tmp_path / "a.png", SILENT)
    rows = sweep_temperature([smoothed], [0.5, 1.0, 2.0], tmp_path / "a.png", SILENT)
    assert [t for *_, t in smoothed.task.decoded] == [0.5, 1.0, 2.0]
    assert [(row["temperature"], row["b"], row["b_low"]) for row in rows] == [
        (t, 4 * t, 4 * t - 1) for t in (0.5, 1.0, 2.0)
    ]
    metrics = evaluate(smoothed.task, smoothed.config, smoothed.directory, SILENT)["validation"]
    assert rows[1]["nll"] == pytest.approx(metrics["nll"], rel=1e-5)
    assert rows[1]["ece"] == pytest.approx(metrics["ece"], abs=1e-5)
    stored = [(point.nll, point.ece) for point in stored_points(smoothed)]
    assert stored == [(row["nll"], row["ece"]) for row in rows]
    with (tmp_path / "a.csv").open() as file:
        assert [float(row["ece"]) for row in csv.DictReader(file)] == [r["ece"] for r in rows]


def test_points_of_another_model_are_not_reused(smoothed):
    sweep_temperature([smoothed], [3.0], None, SILENT)
    model = smoothed.directory.load_model()
    weights = model.get_weights()
    try:
        model.set_weights([w + 0.1 for w in weights])
        smoothed.directory.save_model(model)
        sweep_temperature([smoothed], [3.0], None, SILENT)
        assert len(smoothed.task.decoded) == 2
    finally:
        model.set_weights(weights)
        smoothed.directory.save_model(model)


def test_a_temperature_sweep_announces_removed_smoothing(smoothed):
    log = io.StringIO()
    removing = with_search(smoothed, unsmooth="fitted")
    sweep_temperature([removing], [4.0], None, Reporter(stream=log))
    text = "smoothing α = 0.1 undone; NLL and ECE are those of the model itself"
    assert text in log.getvalue()

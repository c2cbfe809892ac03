"""The sweep over beams, on a task that takes a second."""

import dataclasses
import io

import pytest

from ls_base.errors import InputError
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.schemas import SweepPoints
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.scoring.beam_sweep import sweep_beams
from lsk_engine.scoring.temperature_sweep import sweep_temperature
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.contract import Scores
from tiny_task import DecodingConfig, TinyTask

pytestmark = pytest.mark.tensorflow
SILENT = Reporter(verbosity=-1)


@dataclasses.dataclass(frozen=True)
class WithBeams(DecodingConfig):
    beam_size: int = 4
    batch_size: int = 8
    temperature: float = 1.0
    unsmooth: float | str = 0.0


class BeamTask(TinyTask):
    """Scores that say with how many beams they were decoded, and what was undone."""

    decoding_config = WithBeams

    def __init__(self):
        self.decoded = []

    def decode(self, model, examples, config, data, progress):
        self.decoded.append((config.decoding.beam_size, config.decoding.unsmooth))
        return [[config.decoding.beam_size, config.decoding.unsmooth != 0]] * len(examples)

    def score(self, examples, outputs):
        beam_size, undone = outputs[0]
        value = beam_size + undone / 2
        return Scores({"b": value}, {"b": "B"}, intervals={"b": (value - 1, value + 1)})


def finished(folder, **settings):
    task = BeamTask()
    resolved = resolve_config(task, None, settings)
    directory = RunDirectory.create(folder, resolved.to_dict())
    run_experiment(task, resolved, directory, SILENT)
    task.decoded.clear()
    return StoredRun(directory, task, resolved)


@pytest.fixture(scope="module")
def smoothed(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("smoothed") / "run")


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("hard") / "run", **{"training.alpha": "0"})


def searching(run, **decoding):
    """Returns a run with another search."""
    changed = dataclasses.replace(run.config, decoding=WithBeams(**decoding))
    return run._replace(config=changed)


@pytest.fixture(autouse=True)
def _bare(smoothed, hard):
    """Removes what was decoded before."""
    for run in (smoothed, hard):
        run.task.decoded.clear()
        run.directory.sweep_file("validation").unlink(missing_ok=True)


def test_each_search_is_made_once_and_kept(smoothed):
    said = io.StringIO()
    rows, labels = sweep_beams([smoothed], [1, 8], [0, "fitted"], Reporter(stream=said))
    expected = [(1, 0), (8, 0), (1, "fitted"), (8, "fitted")]
    assert smoothed.task.decoded == expected
    assert [(row["undone_alpha"], row["beam_size"], row["b"], row["b_low"]) for row in rows] == [
        (0.0, 1, 1.0, 0.0),
        (0.0, 8, 8.0, 7.0),
        (0.1, 1, 1.5, 0.5),
        (0.1, 8, 8.5, 7.5),
    ]
    assert labels == {"b": "B"}
    assert rows[0]["run"] == str(smoothed.directory.path)
    assert rows[0]["alpha"] == 0.1
    assert "run, beam 8, α = 0.1 undone:  B 8.50" in said.getvalue()
    again = sweep_beams([smoothed], [1, 2, 8], [0], SILENT)
    assert smoothed.task.decoded == [*expected, (2, 0)]
    assert [row["b"] for row in again.rows] == [1.0, 2.0, 8.0]
    sweep_beams([searching(smoothed, batch_size=2)], [1, 8], [0, 0.1], SILENT)
    assert smoothed.task.decoded == [*expected, (2, 0)]  # the same searches in other words


def test_of_hard_targets_there_is_nothing_to_undo(hard):
    said = io.StringIO()
    rows, _ = sweep_beams([hard], [1, 2], [0, "fitted"], Reporter(stream=said))
    assert hard.task.decoded == [(1, 0), (2, 0)]
    assert [row["undone_alpha"] for row in rows] == [0.0, 0.0]
    assert "fitted has no effect: the run was trained with α = 0" in said.getvalue()
    sweep_beams([hard], [1, 2], ["fitted"], SILENT)
    assert hard.task.decoded == [(1, 0), (2, 0)]


def test_what_is_undone_is_as_the_run_has_it_unless_something_is_said(smoothed):
    (row,), _ = sweep_beams([searching(smoothed, unsmooth=0.05)], [2], [None], SILENT)
    assert row["undone_alpha"] == 0.05


def test_sweeps_over_beams_and_temperatures_share_their_points(smoothed):
    def kept():
        return smoothed.directory.read(
            smoothed.directory.sweep_file("validation"), SweepPoints
        ).points

    sweep_beams([smoothed], [4], [0], SILENT)
    assert [(p.beam_size, p.undone_alpha, p.nll) for p in kept()] == [(4, 0.0, None)]
    (row,) = sweep_temperature([smoothed], [1.0], None, SILENT)  # with beam 4, the default
    (point,) = kept()
    assert (point.nll, point.ece, point.beam_size) == (row["nll"], row["ece"], 4)
    sweep_beams([smoothed], [4], [0], SILENT)
    assert kept() == [point]
    assert smoothed.task.decoded == [(4, 0)]


def test_points_of_earlier_versions_are_found_and_told_apart_from_then_on(smoothed):
    sweep_temperature([smoothed], [1.0], None, SILENT)
    file = smoothed.directory.sweep_file("validation")
    (point,) = smoothed.directory.read(file, SweepPoints).points
    new = ("elsewise", "beam_size", "undone_alpha")
    old = {name: value for name, value in point.to_dict().items() if name not in new}
    smoothed.directory.write_json(file, {"points": [old]})
    sweep_beams([smoothed], [4], [0], SILENT)
    assert smoothed.task.decoded == [(4, 0)]
    assert smoothed.directory.read(file, SweepPoints).points == [point]


def test_what_a_point_of_an_earlier_version_lacks_is_left_out_and_told(smoothed, monkeypatch):
    sweep_temperature([smoothed], [1.0], None, SILENT)

    def score(examples, outputs):
        return Scores({"b": 1.0, "more": 2.0}, {"b": "B", "more": "More"})

    monkeypatch.setattr(smoothed.task, "score", score)
    said = io.StringIO()
    rows, labels = sweep_beams([smoothed], [1, 4], [0], Reporter(stream=said))
    assert [list(row)[4:] for row in rows] == [["b", "more"], ["b", "b_low", "b_high"]]
    assert labels == {"b": "B"}
    assert "Left out, as points that earlier versions decoded lack it: More" in said.getvalue()


def test_a_run_that_was_stopped_before_it_was_scored_is_swept(smoothed):
    content = smoothed.directory.metrics_file.read_bytes()
    smoothed.directory.metrics_file.unlink()
    try:
        assert sweep_beams([smoothed], [1], [0], SILENT).labels == {"b": "B"}
    finally:
        smoothed.directory.metrics_file.write_bytes(content)


def test_what_cannot_be_swept_is_refused_before_anything_is_decoded(smoothed, hard):
    with pytest.raises(InputError, match="different runs of one task"):
        sweep_beams([smoothed, smoothed], [1], [0], SILENT)
    with pytest.raises(InputError, match="Expected a number of beams and an α to undo"):
        sweep_beams([smoothed], [], [0], SILENT)
    with pytest.raises(InputError, match="Expected a split of train, validation, test"):
        sweep_beams([smoothed, hard], [1], [0], SILENT, split="dev")
    taught = dataclasses.replace(
        smoothed.config, distillation=DistillationConfig(teacher="t", teacher_sha256="0")
    )
    with pytest.raises(
        InputError, match=f"{smoothed.directory.path}: Expected decoding.unsmooth=0 for a"
    ):
        sweep_beams([hard, smoothed._replace(config=taught)], [1], ["fitted"], SILENT)
    bare = dataclasses.replace(smoothed.config, decoding=DecodingConfig())
    with pytest.raises(
        InputError, match=f"{smoothed.directory.path}: Expected a task whose decoding has"
    ):
        sweep_beams([smoothed._replace(config=bare)], [1], [0], SILENT)
    assert smoothed.task.decoded == hard.task.decoded == []

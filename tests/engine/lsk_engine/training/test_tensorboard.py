"""What TensorBoard reads of a run, by its own reader."""

import builtins
import io

import numpy as np
import pytest

from ls_base.errors import InputError, MissingExtraError
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.checkpointing import CheckpointEvery, Interrupted
from lsk_engine.training.optimizers import build_schedule
from lsk_engine.training.tensorboard import EventFile, continues_tensorboard
from tiny_task import TinyTask

pytestmark = pytest.mark.jax


def silent():
    return Reporter(verbosity=-1, stream=io.StringIO())


def start(folder, **settings):
    task = TinyTask()
    settings = {key.replace("__", "."): value for key, value in settings.items()}
    config = resolve_config(task, None, settings)
    return task, config, RunDirectory.create(folder / "run", config.to_dict())


def read(run):
    """Returns scalars by name and step, and pictures by name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.tensorboard), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    tags = found.Tags()
    scalars = {tag: {e.step: e.value for e in found.Scalars(tag)} for tag in tags["scalars"]}
    return scalars, {tag: found.Images(tag)[-1] for tag in tags["images"]}


def test_a_run_has_its_numbers_and_pictures(tmp_path):
    task, config, run = start(tmp_path, optimizer__schedule="linear", optimizer__warmup_steps=3)
    run_experiment(task, config, run, silent(), tensorboard=True)
    scalars, pictures = read(run)
    history = run.read_history()
    total = history[-1]["step"]
    rate = build_schedule(config.optimizer, total)
    expected = [float(np.asarray(rate(step))) for step in range(total)]
    assert list(scalars["train/learning_rate"]) == list(range(1, total + 1))
    np.testing.assert_allclose(list(scalars["train/learning_rate"].values()), expected, rtol=1e-6)
    assert list(scalars["train/loss"]) == list(range(1, total + 1))
    for entry in history:
        assert scalars["epoch/loss"][entry["step"]] == pytest.approx(entry["train"]["loss"])
        for name, value in entry["validation"].items():
            assert scalars[f"validation/{name}"][entry["step"]] == pytest.approx(value)
    assert {"learning-curves", "reliability-test"} <= set(pictures)
    shown = pictures["reliability-test"]
    assert shown.encoded_image_string == run.reliability_file("test").read_bytes()
    assert shown.width > 100 < shown.height


@pytest.mark.slow
def test_a_resumed_run_appends_and_measures_nothing_twice(tmp_path, monkeypatch):
    task, config, run = start(tmp_path, training__checkpoint_every=4)
    save, stop = CheckpointEvery._save_if_due, [8]

    def stopped(saver, *due):
        save(saver, *due)
        if saver.step == stop[0]:
            raise Interrupted(saver.step)

    monkeypatch.setattr(CheckpointEvery, "_save_if_due", stopped)
    with pytest.raises(Interrupted):
        run_experiment(task, config, run, silent(), tensorboard=True)
    stop[0] = 0
    ahead = EventFile(run)  # as a run that was killed after its last checkpoint leaves them
    ahead.scalar("train/loss", 99.0, 10)
    ahead.close()
    first = {file.name: file.read_bytes() for file in run.tensorboard.iterdir()}
    run_experiment(task, config, run, silent(), resume=True)
    assert {name: (run.tensorboard / name).read_bytes() for name in first} == first
    scalars, pictures = read(run)
    steps = list(scalars["train/loss"])
    assert steps == sorted(set(steps)) == list(range(1, run.read_history()[-1]["step"] + 1))
    assert scalars["train/loss"][10] < 99
    assert "learning-curves" in pictures


def test_a_run_without_has_no_folder(tmp_path):
    task, config, run = start(tmp_path, training__steps=2)
    run_experiment(task, config, run, silent())
    assert not run.tensorboard.exists()


def test_the_package_is_asked_for_in_one_line(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *more):
        if name.startswith("tensorboard"):
            raise ModuleNotFoundError("no", name="tensorboard")
        return imported(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    task, config, run = start(tmp_path)
    with pytest.raises(MissingExtraError, match=r"pip install 'ls-keras\[tensorboard\]'"):
        run_experiment(task, config, run, silent(), tensorboard=True)
    assert not run.artifacts.is_dir() or not list(run.artifacts.iterdir())
    run.tensorboard.mkdir()  # of a run that has begun elsewhere
    told = Reporter(stream=io.StringIO())
    assert not continues_tensorboard(run, told, wanted=False)
    assert "Expected the package tensorboard" in told.stream.getvalue()


def test_what_is_no_picture_is_told(tmp_path):
    _, _, run = start(tmp_path)
    (tmp_path / "a.png").write_bytes(b"GIF89a")
    events = EventFile(run)
    with pytest.raises(InputError, match="Expected a PNG at .*a.png"):
        events.picture("a", tmp_path / "a.png", 1)
    events.close()

import dataclasses
import io
import json
import os
import signal

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.fingerprint import StoredFingerprint
from lsk_engine.data.teacher_logits import compute_teacher_logits, read_examples
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.locking import hold_lock
from lsk_engine.runs.run_data import NewData, known_training_examples, reload_data
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import with_teacher
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.checkpointing import Interrupted
from lsk_engine.training.distillation import build_learner, with_teacher_logits
from stored_arrays import arrays_of
from tiny_task import NUM_CLASSES, Letters, TinyTask

STEPS = 13
SETTINGS = {"optimizer.ema_momentum": 0.5}
OPTIONS = {"beta": 0.7, "teacher_temperature": 2.0}

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("undrawn")]


def silent():
    return Reporter(verbosity=-1, stream=io.StringIO())


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A finished run."""
    resolved = resolve_config(TinyTask(), None, {"training.seed": 7})
    run = RunDirectory.create(tmp_path_factory.mktemp("teacher") / "run", resolved.to_dict())
    run_experiment(TinyTask(), resolved, run, silent())
    return run


def start(teacher, path, settings=None, task=None, **options):
    task = task or TinyTask()
    resolved = with_teacher(teacher.path, resolve_config(task, None, settings or {}), **options)
    return task, resolved, RunDirectory.create(path, resolved.to_dict())


@pytest.fixture(scope="module")
def student(teacher, tmp_path_factory):
    """A finished student's run, with its task and configuration."""
    path = tmp_path_factory.mktemp("student") / "run"
    task, resolved, run = start(teacher, path, SETTINGS, **OPTIONS)
    run_experiment(task, resolved, run, silent())
    return task, resolved, run


def test_a_student_is_a_run_that_names_its_teacher(teacher, student):
    _, resolved, run = student
    assert restore_config(TinyTask(), run.read_config()) == resolved
    assert resolved.distillation.teacher == str(teacher.path)
    metrics = json.loads(run.metrics_file.read_text())
    assert metrics["distillation"]["teacher_temperature"] == 2.0
    assert {"exact", "nll", "accuracy", "ece"} <= set(metrics["test"])
    assert run.load_model().count_params() == teacher.load_model().count_params()
    assert [e["step"] for e in run.read_history()][-1] == STEPS


def test_its_checkpoints_hold_the_student_alone_and_weights_are_averaged(teacher, student):
    name = f"step-{STEPS:08d}.npz"
    one, two = (arrays_of(run.checkpoints / name) for run in (student[2], teacher))
    of_models = [{n for n in state if n.startswith("model/")} for state in (one, two)]
    assert of_models[0] == of_models[1]
    assert not np.array_equal(student[2].load_model().get_weights()[0], one["model/0"])


def test_with_the_labels_alone_it_is_training_without_a_teacher(teacher, tmp_path):
    """From the same weights, in the same order, with the same dropout."""
    task, resolved, run = start(teacher, tmp_path / "run", {"training.seed": 7}, beta=0.0)
    run_experiment(task, resolved, run, silent())
    for a, b in zip(
        run.load_model().get_weights(), teacher.load_model().get_weights(), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("cached", [pytest.param(False, marks=pytest.mark.slow), True])
def test_an_interrupted_student_goes_on_to_the_same_end(
    student, teacher, tmp_path, cached, monkeypatch
):
    options = OPTIONS | ({"cache": str(tmp_path / "logits")} if cached else {})
    whole = student[2]
    task, resolved, run = start(teacher, tmp_path / "run", SETTINGS, **options)
    batch, seen = BatchSource.batch, []

    def interrupting(self, step):
        if self.shuffle and step == 8 and not seen:  # prefetching reads steps ahead
            seen.append(step)
            os.kill(os.getpid(), signal.SIGINT)
        return batch(self, step)

    monkeypatch.setattr(BatchSource, "batch", interrupting)
    with pytest.raises(Interrupted):
        run_experiment(task, resolved, run, silent())
    monkeypatch.undo()
    run_experiment(task, resolved, run, silent(), resume=True)
    if cached:  # 16 bits are enough to follow the teacher
        for a, b in zip(
            run.load_model().get_weights(), whole.load_model().get_weights(), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=5e-3)
        return
    name = f"step-{STEPS:08d}.npz"
    assert (run.checkpoints / name).read_bytes() == (whole.checkpoints / name).read_bytes()
    assert run.read_history() == whole.read_history()


class NoisyTask(TinyTask):
    """Augments: letters are changed at random in training."""

    def augment(self, config):
        return RandomLetters()

    def build_model(self, config, data):
        letters = keras.Input((None,), dtype="int32", name="letters")
        embedded = keras.layers.Embedding(NUM_CLASSES, 4)(RandomLetters(name="noise")(letters))
        logits = keras.layers.Dense(NUM_CLASSES, name="logits")(embedded)
        return keras.Model({"letters": letters}, logits)


@keras.saving.register_keras_serializable(package="test_distilling")
class RandomLetters(keras.layers.Layer):
    def call(self, inputs, training=False):
        return (inputs + 1) % NUM_CLASSES if training else inputs


def test_the_teacher_sees_what_the_student_sees(teacher):
    task = NoisyTask()
    resolved = with_teacher(teacher.path, resolve_config(task, None, {}), loss="squared-logits")
    data = task.load_data(resolved)
    student = task.build_model(resolved, data)
    loss = build_loss(resolved, data, reduction="sum")
    learner = build_learner(student, loss, task, resolved, data)
    letters, _ = Letters(3, 5).gather(np.arange(3), 8)
    seen = learner(letters, training=True)["teacher_logits"]
    changed = {"letters": (letters["letters"] + 1) % NUM_CLASSES}
    np.testing.assert_array_equal(seen, teacher.load_model()(changed))


def test_augmentation_and_a_cache_exclude_one_another(teacher, tmp_path):
    options = {"cache": str(tmp_path / "logits")}
    task, resolved, run = start(teacher, tmp_path / "run", task=NoisyTask(), **options)
    with pytest.raises(InputError, match="training without random augmentation.*layer 'noise'"):
        run_experiment(task, resolved, run, silent())
    assert not (tmp_path / "logits").exists()


class OtherLetters(TinyTask):
    def load_data(self, config, artifacts=None):
        return dataclasses.replace(super().load_data(config), artifacts={"letters": b"vwxyz"})


class MoreClasses(TinyTask):
    def load_data(self, config, artifacts=None):
        data = super().load_data(config)
        counts = np.append(data.class_counts, 0)
        return dataclasses.replace(data, num_classes=NUM_CLASSES + 1, class_counts=counts)


class OtherInputs(TinyTask):
    def build_model(self, config, data):
        pieces = keras.Input((None,), dtype="int32", name="pieces")
        embedded = keras.layers.Embedding(NUM_CLASSES, 4)(pieces)
        logits = keras.layers.Dense(NUM_CLASSES, name="logits")(embedded)
        return keras.Model({"pieces": pieces}, logits)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (OtherLetters, "a teacher with the vocabulary of the student's data"),
        (MoreClasses, "a teacher with a layer 'logits' over 7 classes"),
        (OtherInputs, "a teacher of the student's inputs, .'pieces'.*Received: .'letters'"),
    ],
)
def test_a_teacher_of_something_else_is_refused(teacher, tmp_path, task, message):
    task, resolved, run = start(teacher, tmp_path / "run", task=task())
    with pytest.raises(InputError, match=message):
        run_experiment(task, resolved, run, silent())


def test_a_teacher_that_changed_or_has_no_logits_is_refused(student, tmp_path):
    task, _, run = student
    tokens = keras.Input((None,), dtype="int32", name="letters")
    layers = [keras.layers.Embedding(NUM_CLASSES, 2), keras.layers.Dense(NUM_CLASSES)]
    model = keras.Model({"letters": tokens}, layers[1](layers[0](tokens)))
    other = RunDirectory.create(tmp_path / "other", run.read_config())
    other.write_artifacts(run.read_artifacts())
    other.save_model(model)
    task, resolved, student_run = start(other, tmp_path / "run")
    with pytest.raises(InputError, match="a teacher with a layer 'logits'.*last layer 'dense"):
        run_experiment(task, resolved, student_run, silent())
    other.model_file.write_bytes(other.model_file.read_bytes() + b" ")
    with pytest.raises(InputError, match="the teacher that the student began with"):
        run_experiment(task, resolved, student_run, silent())


def test_of_students_that_start_together_one_computes_the_logits(teacher, tmp_path, monkeypatch):
    """The others wait for the lock, which it holds meanwhile."""
    task, resolved, run = start(teacher, tmp_path / "run", cache=str(tmp_path / "logits"))
    held = []

    def computing(*arguments, **options):
        with pytest.raises(BlockingIOError), hold_lock(tmp_path / ".logits.lock", wait=False):
            pass
        held.append(True)
        return compute_teacher_logits(*arguments, **options)

    monkeypatch.setattr("lsk_engine.training.distillation.compute_teacher_logits", computing)
    for _ in range(2):
        with_teacher_logits(task, resolved, task.load_data(resolved), run, silent())
    assert held == [True]


def test_a_strangers_configuration_makes_no_cache_elsewhere(teacher, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    cache = tmp_path / "elsewhere" / "logits"
    task, resolved, run = start(teacher, tmp_path / "run", cache=str(cache))
    data = task.load_data(resolved)
    with pytest.raises(InputError, match="inside the present folder.*Received: .*elsewhere/logits"):
        with_teacher_logits(task, resolved, data, run, silent(), stored=True)
    assert not cache.parent.exists()
    monkeypatch.chdir(tmp_path)
    with_teacher_logits(task, resolved, data, run, silent(), stored=True)
    monkeypatch.chdir(tmp_path / "here")
    with_teacher_logits(
        task, resolved, data, run, silent(), stored=True
    )  # it is there, and only read


def test_a_cache_of_other_classes_kept_is_refused(teacher, tmp_path):
    options = {"cache": str(tmp_path / "logits")}
    task, resolved, run = start(teacher, tmp_path / "one", **options, top_k=2)
    data = task.load_data(resolved)
    with_teacher_logits(task, resolved, data, run, silent())
    task, resolved, run = start(teacher, tmp_path / "two", **options)
    with pytest.raises(InputError, match="with top_k=None. Received: 6 with top_k=2"):
        run_experiment(task, resolved, run, silent())


def test_training_examples_are_read_once_for_what_they_are(teacher, tmp_path, monkeypatch):
    task, resolved, run = start(teacher, tmp_path / "run", cache=str(tmp_path / "logits"))
    data, read = NewData.read(task, resolved, None).save_to(run), []
    monkeypatch.setattr(
        "lsk_engine.runs.run_data.read_examples",
        lambda *of: read.append(1) or read_examples(*of),
    )
    first = known_training_examples(data, run)
    again = known_training_examples(reload_data(task, resolved, run), run)
    assert read == [1]
    assert again.data == first.data
    np.testing.assert_array_equal(again.counts, first.counts)
    assert run.read(run.data_file, StoredFingerprint).notes == []

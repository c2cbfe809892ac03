"""Distillation: the teacher of a run, its logits, and the model that `fit` trains."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ls_base.errors import InputError
from ls_keras.distillation import Distiller, TeacherLogits
from ls_keras.losses.classification_loss import ClassificationLoss
from lsk_engine.data.lazy import map_splits
from lsk_engine.data.teacher_logits import (
    WithTeacherLogits,
    compute_teacher_logits,
    open_teacher_logits,
)
from lsk_engine.progress import Reporter
from lsk_engine.runs.locking import hold_lock
from lsk_engine.runs.run_data import known_training_examples
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import model_sha256
from lsk_engine.settings.config import Config
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.output_folders import may_write
from lsk_engine.settings.resolving import restore_config
from lsk_engine.tasks.contract import Examples, Task, TaskData
from lsk_engine.tasks.model_contract import check_contract


def teacher_artifacts(config: Config) -> Mapping[str, bytes] | None:
    """Returns the teacher's artifacts (vocabulary), which its student has to use, or `None`."""
    if config.distillation is None:
        return None
    return _open_teacher(config.distillation).read_artifacts()


def with_teacher_logits(
    task: Task,
    config: Config,
    data: TaskData,
    run: RunDirectory,
    reporter: Reporter,
    *,
    stored: bool = False,
) -> TaskData:
    """Returns the data with the teacher's logits as an input of the training split.

    Without `config.distillation.cache`, the data are unchanged. A missing cache is computed.

    Args:
        task: The task.
        config: The student's configuration.
        data: The student's data.
        run: The student's run, with the fingerprint of its examples.
        reporter: Receives messages and progress.
        stored: Whether the configuration comes from a run, not from the present command: then a
            cache is computed only where `lsk_engine.settings.output_folders.may_write` allows it,
            or in the teacher's run.

    Raises:
        InputError: If the student augments its inputs at random, or the cache is of other
            examples, another order, or another teacher.
    """
    options = config.distillation
    if options is None or options.cache is None:
        return data
    # Built only to be checked, before a teacher runs for hours.
    view = _augmentation(task, config, task.build_model(config, data))
    if view is not None:
        raise InputError(
            "Expected training without random augmentation (or a teacher beside the student, "
            "without a cache): logits that were computed once are of other inputs than the student "
            f"sees. Received: the layer {view!r}"
        )
    cache = _cached_logits(task, config, data, run, reporter, stored=stored)
    if (cache.num_classes, cache.top_k) != (data.num_classes, options.top_k):
        raise InputError(
            f"Expected logits over {data.num_classes} classes with top_k={options.top_k}. "
            f"Received: {cache.num_classes} with top_k={cache.top_k} in {cache.directory}"
        )
    keras.utils.set_random_seed(config.training.seed)  # as if no model had been built

    def taught(name: str, examples: Examples) -> Examples:
        return WithTeacherLogits(examples, cache) if name == "train" else examples

    return dataclasses.replace(data, splits=map_splits(data.splits, taught))


def _cached_logits(
    task: Task,
    config: Config,
    data: TaskData,
    run: RunDirectory,
    reporter: Reporter,
    *,
    stored: bool,
) -> TeacherLogits:
    """Opens the cache, or computes it where that is allowed."""
    options: Any = config.distillation
    path, examples = Path(options.cache), data.splits["train"]
    if stored and not may_write(options.cache, inside=[Path(options.teacher)]):
        if path.exists():
            known = known_training_examples(data, run)
            return open_teacher_logits(path, examples, options.teacher_sha256, known)
        raise InputError(
            "Expected a cache for the teacher's logits inside the present folder, since the run's "
            "config.json names it, which may be somebody else's (where it is meant, go to a folder "
            f"above it and resume there). Received: {path}"
        )
    # Of several students that start together, the first computes and the others wait.
    with hold_lock(path.with_name(f".{path.name}.lock"), wait=True):
        known = known_training_examples(data, run)
        if path.exists():
            return open_teacher_logits(path, examples, options.teacher_sha256, known)
        return compute_teacher_logits(
            path,
            load_teacher(task, options, data),
            examples,
            known=known,
            ignore_class=data.ignore_class,
            top_k=options.top_k,
            batch_size=config.training.batch_size,
            teacher_id=options.teacher_sha256,
            progress=reporter.counter("teacher's logits", "examples"),
        )


def build_learner(
    student: keras.Model, loss: ClassificationLoss, task: Task, config: Config, data: TaskData
) -> keras.Model:
    """Returns what `fit` trains: the model itself or, with a teacher, a `Distiller` around it.

    Where the student augments its inputs, the teacher sees the same view of them.

    Args:
        student: The model.
        loss: The loss of the labels.
        task: The task.
        config: The configuration.
        data: The data, whose training split has the teacher's logits if there is a cache.

    Raises:
        InputError: If the teacher is not what it was, or not of these classes and inputs.
    """
    options = config.distillation
    if options is None:
        return student
    teacher = None
    if options.cache is None:
        teacher = load_teacher(task, options, data)
        _check_inputs(student, teacher)
    return Distiller(
        student,
        teacher,
        beta=options.beta,
        teacher_temperature=options.teacher_temperature,
        student_temperature=options.student_temperature,
        label_loss=loss,
        loss=options.loss,
        from_logits=True,
        ignore_class=loss.ignore_class,
        teacher_view=_augmentation(task, config, student),
        reduction=loss.reduction,
    )


def load_teacher(task: Task, options: DistillationConfig, data: TaskData) -> keras.Model:
    """Loads the saved model of the teacher's run.

    Args:
        task: The task.
        options: The teacher and the options of the distillation.
        data: The student's data.

    Raises:
        InputError: If the model is not the one that the configuration names, has no layer
            `logits`, or other classes or another vocabulary than the data.
    """
    run = _open_teacher(options)
    if run.read_artifacts() != dict(data.artifacts):
        raise InputError(
            "Expected a teacher with the vocabulary of the student's data. "
            f"Received: {run.path}, with another"
        )
    task.import_layers(restore_config(task, run.read_config()))
    teacher = run.load_model()
    check_contract(teacher, data, expected="a teacher", received=f"{run.path}, ", error=InputError)
    return teacher


def _open_teacher(options: DistillationConfig) -> RunDirectory:
    run = RunDirectory.open(options.teacher)
    found = model_sha256(run)
    if found != options.teacher_sha256:
        raise InputError(
            f"Expected the teacher that the student began with, {options.teacher_sha256[:12]}…. "
            f"Received: {run.model_file}, {found[:12]}…"
        )
    return run


def _augmentation(task: Task, config: Config, student: keras.Model) -> str | None:
    """Returns the name of the student's layer that augments its input, if it has one."""
    kind: Any = type(task.augment(config))
    found = (layer.name for layer in student.layers if type(layer) is kind)
    return next(found, None)


def _check_inputs(student: keras.Model, teacher: keras.Model) -> None:
    shapes = [{t.name: tuple(t.shape) for t in model.inputs} for model in (student, teacher)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"Expected a teacher of the student's inputs, {shapes[0]}. Received: {shapes[1]}"
        )

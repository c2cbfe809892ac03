"""A run's data, compared with its data fingerprint, its trained model, and its unsmoothing."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from os.path import lexists
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ls_base.errors import InputError
from ls_keras.decoding import Unsmoothing
from ls_keras.distillation.fingerprint import KnownExamples
from lsk_engine.data.data_cache import load_data
from lsk_engine.data.fingerprint import StoredFingerprint, check_fingerprint
from lsk_engine.data.splits import ALL
from lsk_engine.data.teacher_logits import read_examples
from lsk_engine.devices.xla import jit_compile
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.settings.unsmoothing import FITTED, unsmooth_alpha
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.loss import build_smoothing
from lsk_engine.tasks.model_contract import check_contract
from lsk_engine.tasks.registry import load_task


@dataclasses.dataclass(frozen=True)
class NewData:
    """The data of a run that is about to begin, and not stored anywhere yet.

    Attributes:
        data: The data, with every split loaded.
        fingerprint: Their fingerprint.
        seconds: How long reading them took.
    """

    data: TaskData
    fingerprint: StoredFingerprint
    seconds: float

    @classmethod
    def read(
        cls,
        task: Task,
        config: Config,
        artifacts: Mapping[str, bytes] | None,
        cache: Path | None = None,
    ) -> "NewData":
        """Loads every split of the data: damage in one is reported before a run is made.

        Args:
            task: The task.
            config: The run's configuration.
            artifacts: A teacher's vocabulary and the like, which its student has to use, or `None`.
            cache: As for `lsk_engine.data.data_cache.load_data`.
        """
        start = time.monotonic()
        data = load_data(task, config, artifacts, cache)
        fingerprint = StoredFingerprint.of(data)
        return cls(data, fingerprint, time.monotonic() - start)

    def save_to(self, run: RunDirectory) -> TaskData:
        """Saves the artifacts, such as a vocabulary, and the fingerprint; returns the data."""
        run.write_artifacts(self.data.artifacts)
        run.write_json(run.data_file, {"schema": SCHEMA, **self.fingerprint.to_dict()})
        return self.data


def reload_data(task: Task, config: Config, run: RunDirectory, *, whole: bool = False) -> TaskData:
    """Loads the data of a run that has begun.

    Args:
        task: The task.
        config: The run's configuration.
        run: The run.
        whole: Whether to load every split at once, for training. Else each is loaded when it is
            needed: scoring does not need the training split.

    Raises:
        InputError: If the data have changed; for a split that is loaded later, when that happens.
    """
    data = load_data(task, config, run.read_artifacts(), run.read_cache())
    fingerprint = _read_fingerprint(run)
    if fingerprint is None:
        return data

    def refuse(changed: list[str]) -> InputError:
        return InputError(
            f"Expected the data that {run.path} began with, from {config.data.source} (start a "
            f"new run on the new data). Received: {'; '.join(changed)}"
        )

    return check_fingerprint(data, fingerprint, refuse, whole=whole)


def load_trained(
    task: Task,
    config: Config,
    run: RunDirectory,
    *,
    data: TaskData | None = None,
    calibrated: bool = False,
) -> tuple[keras.Model, TaskData]:
    """Loads the model that a run saved, and the run's data.

    Args:
        task: The run's task.
        config: The run's configuration; its seed becomes Keras's random seed.
        run: A finished run.
        data: The run's data, if they are loaded already.
        calibrated: Whether to load the model that `lsk calibrate` saved instead.

    Returns:
        The model, compiled for `predict`, and the data.

    Raises:
        FileError: If the run has no such model, or it is damaged.
        InputError: If the data have changed since the run began.
        LsKerasError: If the model breaks the contract, or belongs to another vocabulary.
    """
    keras.utils.set_random_seed(config.training.seed)
    task.import_layers(config)
    model = run.load_model(calibrated=calibrated)
    if data is None:
        data = reload_data(task, config, run)
    check_contract(model, data)
    model.compile(jit_compile=jit_compile(config))
    return model, data


def known_training_examples(data: TaskData, run: RunDirectory) -> KnownExamples:
    """Returns the fingerprint of all training examples; they are read once per run for it.

    Args:
        data: The run's data.
        run: The run.
    """
    examples, stored = data.splits["train"], _read_fingerprint(run)
    if stored is not None and stored.train is not None:
        return KnownExamples(stored.train, np.asarray(examples.label_counts(), np.int64))
    known = read_examples(examples, data.ignore_class)
    if stored is not None:
        content = {**stored.to_dict(), "train": dataclasses.asdict(known.data)}
        run.write_json(run.data_file, {"schema": SCHEMA, **content})
    return known


def use_training_label_counts(data: TaskData, run: RunDirectory) -> TaskData:
    """Returns new data with the label counts and batch sizes of the run's training split.

    Args:
        data: Other data than the run's; their `train` is not for training.
        run: The run.
    """
    stored = _read_fingerprint(run)
    if stored is None:
        return data
    data = dataclasses.replace(data, class_counts=stored.read_label_counts())
    if list(data.splits) in (["train"], ["train", ALL]):
        return data
    return dataclasses.replace(data, train_sizes=stored.read_sizes())


def build_unsmoothing(config: Config, data: TaskData) -> Unsmoothing | None:
    """Returns the smoothing that decoding removes, as `decoding.unsmooth` says; `None`: none.

    Args:
        config: The run's configuration.
        data: Its data.
    """
    return _build_unsmoothing(config, data.unused_classes, lambda: data.class_counts)


def build_unsmoothing_for_run(
    config: Config, run: RunDirectory, unused_classes: Sequence[int]
) -> Unsmoothing | None:
    """Returns the same without the run's data, which are loaded only if q is their label counts.

    Args:
        config: The run's configuration.
        run: The run.
        unused_classes: As in the run's `TaskData`.
    """
    load = lambda: reload_data(load_task(config.task), config, run).class_counts  # noqa: E731
    return _build_unsmoothing(config, unused_classes, load)


def _build_unsmoothing(
    config: Config, unused_classes: Sequence[int], class_counts: Callable[[], Any]
) -> Unsmoothing | None:
    alpha = unsmooth_alpha(config.training, config.decoding, config.distillation)
    if not alpha:
        return None
    return Unsmoothing(alpha, build_smoothing(config.training, unused_classes, class_counts))


def announce_unsmoothing(config: Config, reporter: Reporter) -> None:
    """Reports that `decoding.unsmooth` has no effect on a run with hard targets.

    Args:
        config: The run's configuration.
        reporter: Receives the message.
    """
    if getattr(config.decoding, "unsmooth", 0.0) == FITTED and config.training.alpha == 0:
        reporter.message(
            f"decoding.unsmooth={FITTED} has no effect: the run was trained with α = 0"
        )


def _read_fingerprint(run: RunDirectory) -> StoredFingerprint | None:
    """Returns the run's data fingerprint; `None`: it was stopped before it stored one."""
    found = lexists(run.data_file)
    return run.read(run.data_file, StoredFingerprint, schema=SCHEMA) if found else None

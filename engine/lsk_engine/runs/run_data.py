"""A run's data, held against what they were when the run began."""

import dataclasses
import time
from collections.abc import Mapping
from os.path import lexists

import keras
import numpy as np

from ls_base.errors import InputError
from ls_keras.distillation.fingerprint import KnownExamples
from lsk_engine.data.data_cache import load_data
from lsk_engine.data.fingerprint_store import StoredFingerprint, check_fingerprint
from lsk_engine.data.split_names import ALL
from lsk_engine.data.teacher_logits import read_examples
from lsk_engine.devices.xla import jit_compile
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.model_contract import check_contract


@dataclasses.dataclass(frozen=True)
class NewData:
    """The data of a run that is to begin: read, and not yet kept anywhere.

    Attributes:
        data: The data, every split of which is loaded.
        state: What they are known by, and what scoring asks of the training split.
        seconds: What reading them took.
    """

    data: TaskData
    state: StoredFingerprint
    seconds: float

    @classmethod
    def read(cls, task: Task, config: Config, artifacts: Mapping[str, bytes] | None) -> "NewData":
        """Loads the data. Every split is: what is wrong with one is told before a run is made.

        Args:
            task: The task.
            config: The run's configuration.
            artifacts: A teacher's vocabulary and the like, which its student has to use, or `None`.
        """
        start = time.monotonic()
        data = load_data(task, config, artifacts)
        state = StoredFingerprint.of(data)
        return cls(data, state, time.monotonic() - start)

    def save_to(self, run: RunDirectory) -> TaskData:
        """Saves what of the data belongs to the run, such as a vocabulary; returns the data."""
        run.write_artifacts(self.data.artifacts)
        run.write_json(run.data_file, {"schema": SCHEMA, **self.state.to_dict()})
        return self.data


def reload_data(task: Task, config: Config, run: RunDirectory, *, whole: bool = False) -> TaskData:
    """Loads the data of a run that has begun.

    Args:
        task: The task.
        config: The run's configuration.
        run: The run.
        whole: Whether every split is loaded at once, to train on. Else each is when it is asked
            for: nothing that scores a run asks for its training split.

    Raises:
        InputError: If they are not what they were. A run of an older version knows nothing of
            what they were. Of a split that is loaded later, when that happens.
    """
    data, state = load_data(task, config, run.read_artifacts()), _state(run)
    if state is None:
        return data

    def refusal(changed: list[str]) -> InputError:
        return InputError(
            f"Expected the data that {run.path} began with, from {config.data.source} (a new "
            f"run takes what there is now). Received: {'; '.join(changed)}"
        )

    return check_fingerprint(data, state, run.data_file, refusal, whole=whole)


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
        config: The run's configuration; everything random has its seed from here on.
        run: A finished run.
        data: The run's data, where they are loaded already.
        calibrated: Whether to load the model that `lsk calibrate` saved instead.

    Returns:
        The model, compiled for `predict`, and the data.

    Raises:
        FileError: If the run has no such model, or it is damaged.
        InputError: If the data are not what they were when the run began.
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
    """Returns what all examples of the training split are; they are read for it once in a run.

    Args:
        data: The run's data, which were held against what they were.
        run: The run.
    """
    examples, state = data.splits["train"], _state(run)
    if state is None:
        return read_examples(examples, data.ignore_class)
    if state.train is not None:
        return KnownExamples(state.train, np.asarray(examples.label_counts(), np.int64))
    known = read_examples(examples, data.ignore_class)
    run.write_json(
        run.data_file,
        {"schema": SCHEMA, **state.to_dict(), "train": dataclasses.asdict(known.data)},
    )
    return known


def use_training_label_counts(data: TaskData, run: RunDirectory) -> TaskData:
    """Returns other data, smoothed as the run's own training labels say and batched like these.

    Args:
        data: Other data than the run's, whose `train` nobody trains on.
        run: The run.
    """
    state = _state(run)
    if state is None:
        return data
    counts = state.counts(run.data_file)
    if counts is not None:
        data = dataclasses.replace(data, class_counts=counts)
    if list(data.splits) in (["train"], ["train", ALL]):
        return data
    return dataclasses.replace(data, train_sizes=state.train_sizes(run.data_file))


def _state(run: RunDirectory) -> StoredFingerprint | None:
    """Returns what a run keeps of its data; `None`: an older version kept nothing."""
    return (
        run.read(run.data_file, StoredFingerprint, schema=SCHEMA)
        if lexists(run.data_file)
        else None
    )

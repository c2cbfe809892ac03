"""Mutual information over a run's checkpoints: Figure 6 of the paper."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ls_base.errors import FileError, InputError
from ls_keras.callbacks.mutual_information_probe import history_entry
from ls_keras.information.augmented_logits import augmented_differences, check_draws
from ls_keras.information.mutual_information import Scored, mutual_information
from ls_keras.plots import information_curve, save_plot
from lsk_engine.devices.distributed_predict import make_predictor
from lsk_engine.devices.precision import precision
from lsk_engine.devices.xla import jit_compile
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_data import reload_data
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.tasks.class_ids import class_ids
from lsk_engine.tasks.contract import Examples, Task


def probe(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    output: Path,
    *,
    classes: Sequence[str],
    split: str = "train",
    per_class: int = 300,
    draws: int = 5,
    scored: Scored = "held_out",
    batch_size: int = 256,
    seed: int = 0,
) -> dict[str, Any]:
    """Estimates mutual information at each of a run's checkpoints.

    All use the same examples and augmentations. `training.keep_every` sets which checkpoints a run
    keeps; the run may be unfinished. Weights are those of the training, not averaged ones. Writes
    the curve, with its numbers beside it as CSV and JSON.

    Args:
        task: The run's task.
        config: The run's configuration.
        run: The run.
        reporter: Receives messages and progress.
        output: The PNG to write.
        classes: Two classes, by name or number.
        split: Split of the examples; the paper uses training examples.
        per_class: Maximum number of examples of each class, chosen at random.
        draws: Number L of augmentations of each example.
        scored: As for `ls_keras.mutual_information`.
        batch_size: Number of images at a time.
        seed: Seed of the choice of examples and of the augmentations.

    Returns:
        `schema`, `run`, `alpha`, `classes`, `names`, `split`, and `history` for
        `ls_keras.plots.information_curve`.

    Raises:
        InputError: If two such classes do not exist, the task has no augmentation or the
            configuration switches it off, or an example has more than one label.
        FileError: If the run has no checkpoint.
    """
    if len(classes) != 2:
        given = f"{len(classes)} ({', '.join(classes)})" if classes else "none"
        raise InputError(f"Expected two classes. Received: {given}")
    check_draws(draws)
    if seed < 0:
        raise InputError(f"Expected --seed of at least 0. Received: {seed}")
    if per_class < 1 or batch_size < 1:
        raise InputError(
            "Expected at least one example a class, and a batch. "
            f"Received: per_class={per_class}, batch_size={batch_size}"
        )
    checkpoints = Checkpoints(run.checkpoints)
    steps = checkpoints.steps()
    if not steps:
        raise FileError(f"Expected checkpoints in {run.checkpoints}. Received: none")
    keras.utils.set_random_seed(config.training.seed)
    task.import_layers(config)
    augment = task.augment(config)
    if augment is None:
        raise InputError(
            "Expected a task with a random augmentation, without which each example has one "
            f"output. Received: task '{task.name}'"
        )
    data = reload_data(task, config, run)
    if split not in data.splits:
        raise InputError(f"Expected a split of {', '.join(data.splits)}. Received: {split!r}")
    ids = class_ids(classes, data)
    name, images = _images(data.splits[split], ids, per_class, seed)
    with precision(config.training.precision):
        model = task.build_model(config, data)
        model.compile(jit_compile=jit_compile(config))
    history: list[dict[str, Any]] = []
    progress = reporter.counter("probing", "checkpoints")
    for done, step in enumerate(steps, start=1):
        values = checkpoints.read_model(model, step)
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        predict = make_predictor(model, config)
        samples = augmented_differences(
            lambda augmented, predict=predict: predict({name: augmented}),
            images,
            ids,
            augment,
            draws=draws,
            batch_size=batch_size,
            seed=seed,
        )
        if not np.ptp(samples, axis=1).any():
            raise InputError(
                "Expected a random augmentation, without which each example has one output. "
                f"Received: {type(augment).__name__}, which changed no output at step {step}"
            )
        history.append(history_entry(step, mutual_information(samples, scored=scored)))
        progress(done, len(steps))
    names = [str(data.class_names[i]) for i in ids]
    results = {
        "schema": SCHEMA,
        "run": str(run.path),
        "task": config.task,
        "alpha": config.training.alpha,
        "classes": list(ids),
        "names": names,
        "split": split,
        "notes": list(data.notes),
        "history": history,
    }
    curves = {f"α = {config.training.alpha:g}": history}
    title = f"{config.task}: {' and '.join(names)}, {split}"
    save_plot(information_curve, curves, output, title=title)
    return results


def _images(
    examples: Examples, ids: Sequence[int], per_class: int, seed: int
) -> tuple[str, np.ndarray]:
    """Returns the name of the model's one input, and examples of each class."""
    inputs, labels = examples.gather(np.arange(1), None)
    if labels.ndim != 1 or len(inputs) != 1:
        raise InputError(
            "Expected examples with one input and one label. "
            f"Received: inputs {', '.join(inputs)}, labels of shape {labels.shape[1:]} an example"
        )
    (name,) = inputs
    labels = np.concatenate(
        [
            examples.gather(rows, None)[1]
            for rows in np.array_split(np.arange(len(examples)), -(-len(examples) // 1024))
        ]
    )
    rng = np.random.default_rng(seed)
    rows = []
    for class_id in ids:
        own = np.flatnonzero(labels == class_id)
        if not len(own):
            raise InputError(f"Expected examples of class {class_id}. Received: none")
        rows.append(np.sort(rng.permutation(own)[:per_class]))
    return name, examples.gather(np.concatenate(rows), None)[0][name]

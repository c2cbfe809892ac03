"""The equivalent smoothing γ of finished teachers, stored in their runs."""

import dataclasses
from collections.abc import Iterator, Sequence
from os.path import lexists
from typing import Any

import keras

from ls_keras.distillation import equivalent_smoothing_dataset
from lsk_engine.data.datasets import evaluation_source
from lsk_engine.devices.distributed_predict import model_on_devices
from lsk_engine.progress import Progress, Reporter
from lsk_engine.runs.run_data import load_trained
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.schemas import Gammas
from lsk_engine.runs.stored_run import model_sha256
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import restore_config
from lsk_engine.tasks.contract import Task, TaskData


def teacher_gammas(
    task: Task,
    runs: Sequence[RunDirectory],
    temperatures: Sequence[Sequence[float]],
    reporter: Reporter,
) -> list[list[float]]:
    """Returns the equivalent smoothing of each teacher at each of its temperatures.

    γ is computed in one pass over the training split, without augmentation, unless it is stored.

    Args:
        task: The task.
        runs: Finished runs; consecutive runs that differ only in α and seed share a compiled model
            and the data.
        temperatures: Temperatures T > 0 of each run.
        reporter: Receives messages and progress.

    Returns:
        γ by run and temperature.
    """
    found: list[list[float]] = []
    data: TaskData | None = None
    model: Any = None
    shared: Any = None  # settings that runs with the same model and data share
    for run, of_run in zip(runs, temperatures, strict=True):
        with run.lock():  # otherwise a value that another process adds could be lost
            sha256 = model_sha256(run)
            kept = _read(run, sha256)
            missing = [t for t in of_run if f"{t:g}" not in kept]
            if missing:
                config = restore_config(task, run.read_config())
                own = dataclasses.replace(
                    config.replace("training", alpha=0.0, seed=0), preset="", distillation=None
                )
                if data is None or own != shared:
                    model, data = load_trained(task, config, run)
                    shared = own
                else:
                    model.set_weights(run.load_model().get_weights())
                progress = reporter.counter(f"γ of {run.path.name}:", "examples")
                gammas = _compute(model, config, data, missing, progress)
                kept |= {f"{t:g}": gamma for t, gamma in zip(missing, gammas, strict=True)}
                run.write_json(run.gamma_file, {"model_sha256": sha256, "gamma": kept})
            found.append([kept[f"{t:g}"] for t in of_run])
    return found


def _read(run: RunDirectory, sha256: str) -> dict[str, float]:
    """Returns the stored γ of this model by temperature."""
    if not lexists(run.gamma_file):
        return {}
    stored = run.read(run.gamma_file, Gammas)
    return dict(stored.gamma) if stored.model_sha256 == sha256 else {}


def _compute(
    model: keras.Model,
    config: Config,
    data: TaskData,
    temperatures: Sequence[float],
    progress: Progress,
) -> list[float]:
    source = evaluation_source(config, data, "train")

    def batches() -> Iterator[tuple]:
        for step in range(source.steps_per_epoch):
            batch = source.batch(step)
            yield batch.inputs, batch.labels, batch.sample_weight
            done = (step + 1) * source.batch_size
            progress(min(done, len(source.examples)), len(source.examples))

    gammas = equivalent_smoothing_dataset(
        model_on_devices(model, config),
        batches(),
        temperatures,
        from_logits=True,
        ignore_class=data.ignore_class,
    )
    return gammas.tolist()

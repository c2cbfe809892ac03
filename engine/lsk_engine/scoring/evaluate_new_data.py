"""Scoring a run's model on other data than its own, or with another search."""

import dataclasses
import itertools
import json
import os
import warnings
from collections.abc import Mapping
from os.path import lexists
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ls_base.errors import InputError
from ls_base.files import wrap_os_errors
from ls_keras.calibration import TemperatureFit, calibrated, fit_temperature_dataset
from lsk_engine.data.datasets import as_dataset, evaluation_source, explain_data_errors
from lsk_engine.data.subsample import subsample
from lsk_engine.devices.distributed_predict import model_on_devices
from lsk_engine.progress import Reporter
from lsk_engine.runs.locking import locks_run
from lsk_engine.runs.run_data import load_trained, reload_data, use_training_label_counts
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.scoring.position_statistics import build_scorer
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import replace_decoding
from lsk_engine.settings.source_spec import path_or_name
from lsk_engine.settings.user_code import is_code, trust_code
from lsk_engine.tasks.contract import Task, TaskData

_KEPT = ("ece", "nll", "brier", "accuracy")


@locks_run
def evaluate_new(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    *,
    source: str | None = None,
    decoding: Mapping[str, Any] | None = None,
    max_examples: int | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Scores a run's model on other data; the run's own results do not change.

    Scores, outputs and reliability curves are written into `RUN/new-data/NAME`. Results for the
    same data and settings are replaced; others get a folder of their own.

    Args:
        task: The run's task.
        config: The run's configuration.
        run: A finished run.
        reporter: Receives messages and progress.
        source: As `data.source`; `None`: the run's own data.
        decoding: Fields of `config.decoding` that differ from the run's.
        max_examples: Maximum number of examples of each split; `None`: all.
        name: Name of the folder; `None`: the name of the data.

    Returns:
        The content of the folder's `metrics.json`: that of `evaluate`, `new_data` (the arguments)
        and `calibration`: for each split, ECE, NLL, Brier score and accuracy of the model itself
        (`raw`), of the model calibrated by `lsk calibrate` (`as_calibrated`, if there is one) and
        at the temperature that fits these data best (`best`, in-sample).

    Raises:
        InputError: If the data do not exist or do not fit the run.
    """
    new = replace_decoding(config, decoding or {})
    if source is None:
        data = subsample(reload_data(task, new, run), max_examples, scored=True)
    else:
        new = new.replace("data", source=_resolve_source(new, source))
        found = task.load_new(new, run.read_artifacts())
        data = subsample(use_training_label_counts(found, run), max_examples, scored=True)
    model, data = load_trained(task, new, run, data=data)
    if source is not None:
        _check_shapes(model, data, source)
    options = {
        "source": new.data.source,
        "decoding": dict(decoding or {}),
        "max_examples": max_examples,
    }
    into = _folder(run, name or Path(os.path.normpath(new.data.source)).stem or "new", options)
    for text in data.notes:
        reporter.message(f"Note: {text}")

    def more(scores: Mapping[str, Any]) -> Mapping[str, Any]:
        found = _calibration(model, new, run, data, scores, reporter)
        return {"new_data": options, "folder": str(into.path), "calibration": found}

    return evaluate(task, new, run, reporter, data=data, model=model, into=into, more=more)


def _check_shapes(model: keras.Model, data: TaskData, source: str) -> None:
    """Raises an error if examples have other shapes than the model's inputs."""
    wanted = {one.name: one.shape[1:] for one in getattr(model, "inputs", None) or ()}
    for split in data.splits:
        if split == "train":  # not scored, and may take long to load
            continue
        examples = data.splits[split]
        if not len(examples):
            continue
        size = None if examples.sizes is None else int(examples.sizes[0])
        inputs, _ = examples.gather(np.zeros(1, np.int64), size)
        for name, array in inputs.items():
            received, expected = array.shape[1:], wanted.get(name, array.shape[1:])
            fits = len(received) == len(expected) and all(
                there in (None, here) for here, there in zip(received, expected, strict=True)
            )
            if not fits:
                sides = ", ".join("any" if side is None else str(side) for side in expected)
                raise InputError(
                    f"Expected examples whose {name} have the shape ({sides}), as those that the "
                    f"run was trained on. Received: {received} in {source}"
                )


def _folder(run: RunDirectory, name: str, options: Mapping[str, Any]) -> RunDirectory:
    """Returns the folder of earlier results for the same options, or a new one."""
    folder = run.new_data_folder(name)
    for number in itertools.count(1):
        found = RunDirectory(folder if number == 1 else f"{folder}-{number}")
        if not lexists(found.path):
            break
        if lexists(found.metrics_file):
            before = found.read(found.metrics_file, dict[str, Any]).get("new_data")
            if before == json.loads(json.dumps(options)):
                break
    with wrap_os_errors(found.path):
        found.outputs.mkdir(parents=True, exist_ok=True)
    return found


def _resolve_source(config: Config, source: str) -> str:
    """Returns a source as a configuration stores it; code that it names becomes trusted."""
    fields = {field.name: field for field in dataclasses.fields(config.data)}
    if is_code(fields["source"]):
        trust_code(source)
        return source
    found = path_or_name(source)
    return source if isinstance(found, str) else str(found.absolute())


def _calibration(
    model: keras.Model,
    config: Config,
    run: RunDirectory,
    data: TaskData,
    scores: Mapping[str, Any],
    reporter: Reporter,
) -> dict[str, Any]:
    """Returns the calibration of the model on each split, without and with scaling."""
    found = run.read_calibration()
    scorers = {}
    if found is not None and run.calibrated_model_file.is_file():
        stored = run.load_model(calibrated=True)
        scorers["as_calibrated"] = build_scorer(stored, config, data)
    results: dict[str, Any] = {}
    for split in (name for name in data.splits if name != "train"):
        source = evaluation_source(config, data, split)
        with explain_data_errors(source), warnings.catch_warnings():
            # T is stored also at a bound, to be compared with that of the validation data.
            warnings.filterwarnings("ignore", message="The best temperature is at")
            fit: TemperatureFit = fit_temperature_dataset(
                model_on_devices(model, config),
                as_dataset(source, 0, source.steps_per_epoch),
                from_logits=True,
                ignore_class=data.ignore_class,
            )
        results[split] = {
            "temperature": None if found is None else found.temperature,
            "best_temperature": fit.temperature,
            "raw": _kept(scores[split]),
        }
        best = build_scorer(calibrated(model, fit, from_logits=True), config, data)
        for what, scorer in {**scorers, "best": best}.items():
            predictions = scorer.predict(source, reporter.counter(f"{split}, {what}", ""))
            results[split][what] = _kept(predictions.metrics())
    return results


def _kept(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: metrics[name] for name in _KEPT}

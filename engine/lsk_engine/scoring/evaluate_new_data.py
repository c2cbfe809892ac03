"""Scoring a run's model on other data than its own, or with another search; calibration on them."""

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
    """Scores a run's model on other data; what the run has of its own stays as it is.

    All goes into `RUN/new-data/NAME`: scores as in `metrics.json`, outputs, reliability. The same
    data with the same settings take the place of what was found of them before; others don't.

    Args:
        task: The run's task.
        config: The run's configuration.
        run: A finished run.
        reporter: Who is told.
        source: As `data.source`; `None`: the run's own data.
        decoding: Fields of `config.decoding` that differ from the run's.
        max_examples: Of each split at most, a quick look; `None`: all.
        name: What the results are called; `None`: as the data.

    Returns:
        What the folder's `metrics.json` holds: as of `evaluate`, and `new_data` (what was asked
        for) and `calibration`: of each split, ECE, NLL, Brier score and accuracy as the model is
        (`raw`), as `lsk calibrate` has calibrated it (`as_calibrated`, if it has) and at the
        temperature that fits these data best (`best`, in-sample).

    Raises:
        InputError: If there are no such data, or they don't fit the run.
    """
    new = replace_decoding(config, decoding or {})
    if source is None:
        # What the run began with, before a look at some of it.
        data = subsample(reload_data(task, new, run), max_examples, scored=True)
    else:
        new = new.replace("data", source=_noted(new, source))
        found = task.load_new(new, run.read_artifacts())
        data = subsample(use_training_label_counts(found, run), max_examples, scored=True)
    model, data = load_trained(task, new, run, data=data)
    if source is not None:
        _check_shapes(model, data, source)
    asked = {
        "source": new.data.source,
        "decoding": dict(decoding or {}),
        "max_examples": max_examples,
    }
    into = _folder(run, name or Path(os.path.normpath(new.data.source)).stem or "new", asked)
    for text in data.notes:
        reporter.message(f"Note: {text}")

    def more(scores: Mapping[str, Any]) -> Mapping[str, Any]:
        found = _calibration(model, new, run, data, scores, reporter)
        return {"new_data": asked, "folder": str(into.path), "calibration": found}

    return evaluate(task, new, run, reporter, data=data, model=model, into=into, more=more)


def _check_shapes(model: keras.Model, data: TaskData, source: str) -> None:
    """Refuses examples that the model can't take."""
    wanted = {one.name: one.shape[1:] for one in getattr(model, "inputs", None) or ()}
    for split in data.splits:
        if split == "train":  # which is not scored, and may take long to load
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


def _folder(run: RunDirectory, name: str, asked: Mapping[str, Any]) -> RunDirectory:
    """Returns where results go: the folder of the same question, or one that isn't there yet."""
    folder = run.new_data_folder(name)
    for number in itertools.count(1):
        found = RunDirectory(folder if number == 1 else f"{folder}-{number}")
        if not lexists(found.path):
            break
        if lexists(found.metrics_file):
            before = found.read(found.metrics_file, dict[str, Any]).get("new_data")
            if before == json.loads(json.dumps(asked)):
                break
    with wrap_os_errors(found.path):
        found.outputs.mkdir(parents=True, exist_ok=True)
    return found


def _noted(config: Config, source: str) -> str:
    """Returns a source as the configuration of a run has it; code that it names is noted."""
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
    """Returns how calibrated the model is on each split, by its scores, and what scaling does."""
    found = run.read_calibration()
    scorers = {}
    if found is not None and run.calibrated_model_file.is_file():
        stored = run.load_model(calibrated=True)
        scorers["as_calibrated"] = build_scorer(stored, config, data)
    results: dict[str, Any] = {}
    for split in (name for name in data.splits if name != "train"):
        source = evaluation_source(config, data, split)
        with explain_data_errors(source), warnings.catch_warnings():
            # At a bound, T is stored as it is, to be compared with the validation data's.
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

"""Calibrating a finished run: fit on its validation split, report on its test splits."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from ls_base.errors import InputError
from ls_keras.calibration import (
    TemperatureFit,
    VectorFit,
    calibrated,
    fit_temperature_dataset,
    fit_vector_scaling,
)
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import as_dataset, evaluation_source, explain_data_errors
from lsk_engine.devices.distributed_predict import make_predictor, model_on_devices
from lsk_engine.progress import Reporter
from lsk_engine.runs.locking import locks_run
from lsk_engine.runs.run_data import load_trained
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.scoring.position_statistics import (
    Predictions,
    build_scorer,
    predict_positions,
)
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task

METHODS = ("temperature", "vector")
OBJECTIVES = ("nll", "ece")

# Vector scaling keeps the logits of the validation split in memory.
_MOST_LOGITS = 2**30


@locks_run
def calibrate(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    *,
    method: Literal["temperature", "vector"] = "temperature",
    objective: Literal["nll", "ece"] = "nll",
) -> dict[str, Any]:
    """Fits a scaling of the logits on validation, and saves the calibrated model.

    Args:
        task: The run's task.
        config: The run's configuration.
        run: A finished run.
        reporter: Receives messages and progress.
        method: One temperature, or vector scaling (2 K numbers).
        objective: The quantity that the temperature minimizes on validation; vector scaling
            minimizes the NLL only.

    Returns:
        The content of the run's `calibration.json`: the fitted numbers and, for every split, `nll`
        and `ece` before and after. Those of validation are in-sample.

    Raises:
        InputError: For an unknown method, or an objective that it does not support.
    """
    if method not in METHODS or objective not in OBJECTIVES:
        raise InputError(
            f"Expected a method of {', '.join(METHODS)} and an objective of "
            f"{', '.join(OBJECTIVES)}. Received: {method!r}, {objective!r}"
        )
    if method == "vector" and objective != "nll":
        raise InputError(f"Expected objective 'nll' for vector scaling. Received: {objective!r}")
    model, data = load_trained(task, config, run)
    validation = evaluation_source(config, data, "validation")
    count = len(validation.examples)
    reporter.message(f"{run.path}: fitting {method} scaling on {count:,} examples")
    fit: TemperatureFit | VectorFit
    if method == "temperature":
        with explain_data_errors(validation), warnings.catch_warnings():
            # Reported below.
            warnings.filterwarnings("ignore", message="The best temperature is at")
            fit = fit_temperature_dataset(
                model_on_devices(model, config),
                as_dataset(validation, 0, validation.steps_per_epoch),
                from_logits=True,
                ignore_class=data.ignore_class,
                objective=objective,
            )
    else:
        fit = fit_vector_scaling(
            *_logits(make_predictor(model, config), data.num_classes, validation),
            from_logits=True,
            ignore_class=data.ignore_class,
        )
    if not fit.converged:
        reporter.warning(f"the fit did not converge after {fit.iterations} iterations")
    if isinstance(fit, TemperatureFit) and fit.at_bound:
        reporter.warning(f"the best temperature lies beyond {fit.temperature:g}")
    scaled = calibrated(model, fit, from_logits=True)
    run.remove_calibration()  # of the earlier scaling, in case scoring is interrupted
    run.save_model(scaled, calibrated=True)
    results: dict[str, Any] = {
        "schema": SCHEMA,
        "run": str(run.path),
        "alpha": config.training.alpha,
        "method": method,
        "objective": objective,
        "fit": {k: _jsonable(v) for k, v in dataclasses.asdict(fit).items()},
        "temperature": fit.temperature if isinstance(fit, TemperatureFit) else None,
    }
    scorers = {"before": build_scorer(model, config, data)}
    scorers["after"] = build_scorer(scaled, config, data)
    for split in (name for name in data.splits if name != "train"):
        source = evaluation_source(config, data, split)
        results[split] = {
            when: _scores(scorer.predict(source, reporter.counter(f"{split}, {when}", "examples")))
            for when, scorer in scorers.items()
        }
    run.write_json(run.calibration_file, results)
    return results


def _scores(predictions: Predictions) -> dict[str, float]:
    metrics = predictions.metrics()
    return {name: metrics[name] for name in ("ece", "nll", "brier", "accuracy")}


def _logits(
    predict: Callable[[Mapping[str, Any]], Any], num_classes: int, source: BatchSource
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels and logits of the positions that count."""
    size = source.num_labels * num_classes
    if size > _MOST_LOGITS:
        raise InputError(
            f"Expected at most {_MOST_LOGITS:,} logits for vector scaling (positions × classes); "
            f"a temperature has no such limit. Received: {size:,}"
        )
    labels, logits = zip(*predict_positions(predict, source), strict=True)
    return np.concatenate(labels), np.concatenate(logits)


def _jsonable(value: Any) -> Any:
    if isinstance(value, tuple):
        return [entry if math.isfinite(entry) else None for entry in value]
    return value.tolist() if isinstance(value, np.ndarray) else value

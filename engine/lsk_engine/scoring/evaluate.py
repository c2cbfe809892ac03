"""Scoring a run's saved model: the last stage of `lsk train`, and the command `lsk evaluate`."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from ls_base.errors import InputError, LsKerasError
from ls_keras.plots import reliability_diagram, save_plot
from ls_keras.plots import save as save_figure
from lsk_engine.data.datasets import evaluation_source
from lsk_engine.progress import Reporter
from lsk_engine.runs.locking import locks_run
from lsk_engine.runs.run_data import announce_unsmoothing, load_trained
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.scoring.position_statistics import build_scorer
from lsk_engine.settings.config import Config
from lsk_engine.settings.unsmoothing import unsmooth_alpha
from lsk_engine.tasks.contract import Task, TaskData


@locks_run
def evaluate(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    *,
    data: TaskData | None = None,
    model: keras.Model | None = None,
    seconds: float | None = None,
    calibrated: bool = False,
    into: RunDirectory | None = None,
    more: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Scores a run's saved model on every split except the training split.

    Writes `metrics.json` and, for each split, the decoded outputs, the references if they are
    texts, the reliability curve, its diagram, the statistics behind both, and the task's pictures.

    Args:
        task: The task.
        config: The run's configuration.
        run: The run.
        reporter: Receives messages and progress.
        data: The run's data; `None`: they are loaded.
        model: The model, together with `data`; `None`: it is loaded.
        seconds: Seconds of the training, stored together with those of scoring; `None`: the stored
            number is kept.
        calibrated: Whether to score the model that `lsk calibrate` saved instead. It is searched
            without undoing smoothing, because it was fitted to smoothed probabilities.
        into: Folder of the results; `None`: the run.
        more: Returns further content of `metrics.json`, given the scores.

    Returns:
        The content of `metrics.json`.

    Raises:
        InputError: If a score of the task has the name of one of the engine's.
    """
    start = time.monotonic()
    into = into or run
    announce_unsmoothing(config, reporter)
    if calibrated and unsmooth_alpha(config.training, config.decoding, config.distillation):
        reporter.message(
            "The calibrated model is decoded with decoding.unsmooth=0: its calibration was fitted "
            "to the smoothed probabilities"
        )
        config = config.replace("decoding", unsmooth=0.0)
    if model is None or data is None:
        model, data = load_trained(task, config, run, data=data, calibrated=calibrated)
    results: dict[str, Any] = {
        "schema": SCHEMA,
        "run": str(run.path),
        "task": config.task,
        "preset": config.preset,
        "alpha": config.training.alpha,
        "smoothing": config.training.smoothing,
        "seed": config.training.seed,
        "calibrated": calibrated,
        "notes": list(data.notes),
        "labels": {},
        "better": {},
        "bounds": {},
        "signatures": {},
    }
    if config.distillation:
        results["distillation"] = dataclasses.asdict(config.distillation)
    scorer = build_scorer(model, config, data)
    calibration = run.read_calibration() if calibrated else None
    temperature = None if calibration is None else calibration.temperature
    for split in (name for name in data.splits if name != "train"):
        examples = data.splits[split]
        predictions = scorer.predict(
            evaluation_source(config, data, split),
            reporter.counter(f"{split}: scoring", "examples"),
        )
        progress = reporter.counter(f"{split}: decoding", "examples")
        outputs = task.decode(model, examples, config, data, progress)
        scores = task.score(examples, outputs)
        if not calibrated:
            into.write_json(into.outputs_file(split), outputs)
            if references := _texts(examples.references):
                into.write_json(into.references_file(split), references)
            pictures = task.illustrate(model, examples, outputs, config, data)
            for name, (figure, rows) in pictures.items():
                save_figure(figure, into.picture_file(name, split), rows)
        results[split] = _merge_scores(task, scores.flat(), predictions.metrics())
        file = into.statistics_file(split, calibrated=calibrated)
        into.write(file, predictions.to_bytes())
        curve = predictions.curve(temperature=temperature)
        title = f"{config.task}, {split}, α = {config.training.alpha:g}"
        file = into.reliability_file(split, calibrated=calibrated)
        save_plot(reliability_diagram, curve, file, title=title)
        results["labels"].update(scores.labels)
        results["better"].update(scores.better)
        results["bounds"].update(scores.bounds)
        results["signatures"].update(scores.signatures)
    took = (seconds or 0) + time.monotonic() - start
    if seconds is None and into is run:  # scoring again keeps the stored time
        with contextlib.suppress(LsKerasError):
            took = run.read_metrics().seconds
    results["seconds"] = round(took, 2)
    results |= more(results) if more else {}
    into.write_json(into.calibrated_metrics_file if calibrated else into.metrics_file, results)
    return results


def _texts(references: Sequence[Any]) -> list[str | tuple[str, ...]]:
    """Returns the references if all are texts or tuples of texts; otherwise an empty list."""
    for one in references:
        several = one if isinstance(one, tuple) else (one,)
        if not all(isinstance(text, str) for text in several):
            return []
    return list(references)


def _merge_scores(
    task: Task, scores: dict[str, float], metrics: dict[str, float]
) -> dict[str, float]:
    """Merges a task's scores and the engine's; raises an error if they share a name."""
    twice = sorted(scores.keys() & metrics.keys())
    if twice:
        raise InputError(
            f"Expected scores of the task {task.name!r} with other names than the engine's "
            f"({', '.join(metrics)}). Received: {', '.join(twice)}"
        )
    return {**scores, **metrics}

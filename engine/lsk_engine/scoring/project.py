"""Projecting stored runs: Figure 1 of the paper, and its statistics for all classes."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ls_base.errors import InputError
from ls_base.files import write_json
from ls_keras.plots import mean_logits_map, projection_panels, save_plot
from ls_keras.plots.saving import image_path
from ls_keras.representation import (
    MeanLogits,
    Projection,
    nearest_classes,
    penultimate,
    template_plane,
    templates,
)
from ls_keras.representation.cluster_statistics import SplitStatistics
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import evaluation_source
from lsk_engine.devices.distributed_predict import make_predictor
from lsk_engine.devices.xla import jit_compile
from lsk_engine.progress import Reporter
from lsk_engine.runs.naming import name_by_alpha
from lsk_engine.runs.run_data import load_trained
from lsk_engine.runs.run_directory import SCHEMA
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.scoring.position_statistics import predict_positions
from lsk_engine.tasks.class_ids import class_ids
from lsk_engine.tasks.contract import TaskData

# With more classes, such as a vocabulary, the picture shows those near the chosen ones.
_MOST_LOGITS = 100
_NEIGHBORS = 5
_EXPECTED = (
    "Expected three classes (--classes A,B,C), or one (--nearest A) that is shown with the two "
    "nearest to it"
)


def project_runs(
    runs: Sequence[StoredRun],
    reporter: Reporter,
    output: Path,
    *,
    classes: Sequence[str] = (),
    nearest: str | None = None,
    split: str = "validation",
    per_class: int = 100,
    limit: int | None = None,
    seed: int = 0,
    common_axes: bool = True,
) -> dict[str, Any]:
    """Projects the training split and another one of each run onto a plane through templates.

    Each run has its own plane, through its own templates of the same three classes. Memory holds
    one batch, the coordinates of the drawn examples, and sums by class.

    Writes the panels (`output`; coordinates beside it as CSV and JSON), statistics of all classes
    (`…-statistics.json`) and the mean logits of each class on `split` (`…-logits.png`, CSV, JSON).

    Args:
        runs: Finished runs; the first two make the paper's row if one is without smoothing.
        reporter: Receives messages and progress.
        output: The PNG to write.
        classes: Three classes by name or number; fewer with `nearest`. Default: all classes, if
            there are three.
        nearest: A class that is completed to three by the classes whose templates, in the first
            run, are nearest to its own.
        split: The split to show beside the training split.
        per_class: Number of examples to draw of each class, chosen at random.
        limit: Approximate maximum number of examples of each split, chosen at random; `None`: all.
        seed: Seed of both choices.
        common_axes: Whether all panels have the same limits.

    Returns:
        The content of the statistics file.

    Raises:
        InputError: If the classes are not three, or a run has no such class or split.
    """
    if not runs or len({run.directory.path.resolve() for run in runs}) < len(runs):
        raise InputError(
            "Expected one or more different runs. "
            f"Received: {[str(run.directory.path) for run in runs]}"
        )
    if nearest is None and len(classes) not in (0, 3):
        raise InputError(f"{_EXPECTED}. Received: {len(classes)} ({', '.join(classes)})")
    if limit is not None and limit < 1:
        raise InputError(f"Expected a limit of at least 1. Received: {limit}")
    panels: dict[str, Projection] = {}
    maps: dict[str, MeanLogits] = {}
    results: dict[str, Any] = {"schema": SCHEMA, "split": split, "runs": []}
    titles = name_by_alpha(
        [run.directory.path for run in runs], [run.config.training.alpha for run in runs]
    )
    names: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    shown: tuple[int, ...] = ()
    first_names: list[str] | None = None
    for (directory, task, config), title in zip(runs, titles, strict=True):
        model, data = load_trained(task, config, directory)
        if split not in data.splits or split == "train":
            others = ", ".join(name for name in data.splits if name != "train")
            raise InputError(f"Expected a split of {others}. Received: {split!r}")
        half, w = penultimate(model), np.asarray(keras.ops.convert_to_numpy(templates(model)))
        if first_names is None:
            ids = class_ids(tuple(classes), data)
            if nearest is not None:
                ids = complete_classes(w, data, nearest, ids)
            elif not classes:
                ids = _all_three(data)
            names = tuple(str(data.class_names[i]) for i in ids)
            shown, first_names = _shown_logits(w, data, ids), list(data.class_names)
        elif list(data.class_names) != first_names:
            raise InputError(
                f"Expected runs with the same classes. Received: {runs[0].directory.path} "
                f"and {directory.path}, which differ"
            )
        half.compile(jit_compile=jit_compile(config))
        predict = make_predictor(half, config)
        plane = template_plane(w, ids)
        entry: dict[str, Any] = {
            "run": str(directory.path),
            "title": title,
            "task": config.task,
            "alpha": config.training.alpha,
            "classes": list(ids),
            "names": list(names),
            "notes": list(data.notes),
        }
        for name in ("train", split):
            source = dataclasses.replace(
                evaluation_source(config, data, name), shuffle=True, seed=seed
            )
            statistics = SplitStatistics(w, plane, shown, per_class=per_class, seed=seed)
            _run(predict, source, statistics, limit, reporter, f"{title}, {name}")
            panels[f"{title}, {name}"] = statistics.projection(data.class_names)
            entry[name] = statistics.values(data.class_names)
            if name == split:
                maps[title] = statistics.mean_logits()
        results["runs"].append(entry)
    output = image_path(output)
    label = f"{results['runs'][0]['task']}: {', '.join(names)}"
    save_plot(projection_panels, panels, output, title=label, common_axes=common_axes)
    logits_file = output.with_name(f"{output.stem}-logits.png")
    title = f"Mean logits, {split}"
    save_plot(mean_logits_map, maps, logits_file, class_names=first_names, title=title)
    write_json(output.with_name(f"{output.stem}-statistics.json"), results)
    return results


def _all_three(data: TaskData) -> tuple[int, ...]:
    """Returns the classes of data with exactly three classes."""
    ids = tuple(k for k in range(data.num_classes) if k not in data.unused_classes)
    if len(ids) != 3:
        raise InputError(f"{_EXPECTED}. Received: none, and the run has {len(ids):,} classes")
    return ids


def complete_classes(
    w: np.ndarray, data: TaskData, nearest: str, given: tuple[int, ...]
) -> tuple[int, ...]:
    """Returns three classes: `nearest`, the classes with the nearest templates, those given.

    Classes without labels are no neighbors.

    Raises:
        InputError: If more than two classes are given, or too few others are labels.
    """
    (start,) = class_ids((nearest,), data)
    if len(given) > 2 or start in given:
        raise InputError(
            "Expected at most two classes, different from the one of --nearest. "
            f"Received: {', '.join(str(data.class_names[i]) for i in given)}"
        )
    labels = np.asarray(data.class_counts) > 0
    labels[list(data.unused_classes)] = False
    others = [
        k for k in nearest_classes(w, start, data.num_classes - 1) if labels[k] and k not in given
    ][: 2 - len(given)]
    if len(others) < 2 - len(given):
        raise InputError(f"Expected at least three classes with examples. Received: {len(others)}")
    return (start, *others, *given)


def _run(
    predict: Callable[[Mapping[str, Any]], Any],
    source: BatchSource,
    statistics: SplitStatistics,
    limit: int | None,
    reporter: Reporter,
    what: str,
) -> None:
    """Adds the batches of a split to its statistics."""
    steps = source.steps_per_epoch
    if limit is not None:
        steps = min(steps, max(1, -(-limit // source.batch_size)))
    progress = reporter.counter(what, "examples")
    for labels, activations in predict_positions(predict, source, progress, steps):
        statistics.update(labels, activations)


def _shown_logits(w: np.ndarray, data: TaskData, ids: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the classes of the mean-logit matrix."""
    if data.num_classes <= _MOST_LOGITS:
        return tuple(k for k in range(data.num_classes) if k not in data.unused_classes)
    near = [nearest_classes(w, i, _NEIGHBORS) for i in ids]
    return tuple(
        dict.fromkeys(k for i, others in zip(ids, near, strict=True) for k in (i, *others))
    )


def summary_rows(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns a row for each run and split of the result of `project_runs`."""
    rows = []
    for entry in results["runs"]:
        for split in ("train", results["split"]):
            values = entry[split]
            rows.append(
                {
                    "run": entry["title"],
                    "split": split,
                    "relative_spread": values["in_span"]["relative_spread"],
                    "equidistance": values["in_span"]["equidistance"],
                    "confidence_spread": values["confidence_spread"],
                    "similarity": values["similarity"],
                }
            )
    return rows

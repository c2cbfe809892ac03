"""Ranks the classes of each image and computes top-1 and top-5 error."""

from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np

from lsk_engine import Config, Examples, InputError, Progress, Scores, TaskData
from lsk_engine.devices.distributed_predict import make_predictor
from lsk_engine.tasks.percentage import percentage

RANKED = 5


def rank_classes(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[list[int]]:
    """Ranks the classes of each image.

    Returns:
        The five most likely classes of each image, the most likely first; with up to five classes,
        only the most likely. Equal logits are ranked by class.
    """
    top = RANKED if data.num_classes > RANKED else 1
    total = len(examples)
    size = min(config.decoding.batch_size, total)
    predict = make_predictor(model, config)
    found: list[list[int]] = []
    for start in range(0, total, size):
        rows = np.arange(start, min(start + size, total))
        filled = np.concatenate([rows, np.zeros(size - len(rows), rows.dtype)])
        inputs, _ = examples.gather(filled, None)
        found += rank_logits(np.asarray(predict(inputs))[: len(rows)], top).tolist()
        progress(len(found), total)
    return found


def rank_logits(logits: np.ndarray, top: int) -> np.ndarray:
    """Returns the `top` most likely classes, int64 `(n, top)`, the most likely first.

    Example:
    >>> rank_logits(np.array([[0.1, 2.0, 2.0, 1.0]]), 3).tolist()
    [[1, 2, 3]]
    """
    return np.argsort(-logits, axis=-1, kind="stable")[:, :top]


def score(labels: Sequence[int], ranked: Sequence[Sequence[int]]) -> Scores:
    """Computes the errors of ranked classes; lower is better.

    Args:
        labels: The true class of each image.
        ranked: For each image its most likely classes, in order; the same number for all.

    Returns:
        `top_1_error` in percent and, if five classes are ranked, `top_5_error`, with
        Clopper–Pearson intervals of 95 %.
    """
    if len(labels) != len(ranked) or not len(labels):
        raise InputError(
            "Expected as many outputs as labels, at least one. "
            f"Received: {len(ranked)} and {len(labels)}"
        )
    hits = np.asarray(ranked) == np.asarray(labels)[:, None]
    values, names, intervals = {}, {}, {}
    for k in (1, 5) if hits.shape[1] >= 5 else (1,):
        errors = int((~hits[:, :k].any(axis=1)).sum())
        name = f"top_{k}_error"
        values[name], intervals[name] = percentage(errors, len(labels))
        names[name] = f"top-{k} error (%)"
    better: dict[str, Literal["less", "more"]] = dict.fromkeys(values, "less")
    bounds = dict.fromkeys(values, (0.0, 100.0))
    return Scores(values, names, intervals=intervals, better=better, bounds=bounds)

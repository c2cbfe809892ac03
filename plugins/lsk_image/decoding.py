"""Ranking the classes of each image."""

import keras
import numpy as np

from lsk_engine import Config, Examples, Progress, TaskData
from lsk_engine.devices.distributed_predict import make_predictor

RANKED = 5


def rank_classes(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[list[int]]:
    """Returns the five likeliest classes of each image, the likeliest first.

    Of up to five classes, only the likeliest. Of equal logits the lower class goes first.
    """
    kept = RANKED if data.num_classes > RANKED else 1
    total = len(examples)
    size = min(config.decoding.batch_size, total)
    predict = make_predictor(model, config)
    found: list[list[int]] = []
    for start in range(0, total, size):
        rows = np.arange(start, min(start + size, total))
        filled = np.concatenate([rows, np.zeros(size - len(rows), rows.dtype)])
        inputs, _ = examples.gather(filled, None)
        found += ranked(np.asarray(predict(inputs))[: len(rows)], kept).tolist()
        progress(len(found), total)
    return found


def ranked(logits: np.ndarray, kept: int) -> np.ndarray:
    """Returns the `kept` likeliest classes, int64 `(n, kept)`, the likeliest first.

    Example:
    >>> ranked(np.array([[0.1, 2.0, 2.0, 1.0]]), 3).tolist()
    [[1, 2, 3]]
    """
    return np.argsort(-logits, axis=-1, kind="stable")[:, :kept]

"""Top-1 and top-5 error."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lsk_engine import InputError, Scores
from lsk_engine.tasks.percentage import percentage


def score(labels: Sequence[int], ranked: Sequence[Sequence[int]]) -> Scores:
    """Scores ranked classes of one split; less is better.

    Args:
        labels: The true class of each image.
        ranked: For each image its likeliest classes, the likeliest first; all equally many.

    Returns:
        `top_1_error` in percent and, where five classes are ranked, `top_5_error`, with
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

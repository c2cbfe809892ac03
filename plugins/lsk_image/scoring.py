"""Top-1 and top-5 error."""

from collections.abc import Sequence

import numpy as np

from ls_keras.errors import InputError
from ls_keras.task import Scores


def score(labels: Sequence[int], ranked: Sequence[Sequence[int]]) -> Scores:
    """Scores ranked classes of one split; less is better.

    Args:
        labels: The true class of each image.
        ranked: For each image its likeliest classes, the likeliest first; all equally many.

    Returns:
        `top_1_error` in percent and, where five classes are ranked, `top_5_error`.
    """
    if len(labels) != len(ranked) or not len(labels):
        raise InputError(
            "Expected as many outputs as labels, at least one. "
            f"Received: {len(ranked)} and {len(labels)}"
        )
    hits = np.asarray(ranked) == np.asarray(labels)[:, None]
    values = {"top_1_error": 100 * float(1 - hits[:, 0].mean())}
    names = {"top_1_error": "top-1 error (%)"}
    if hits.shape[1] >= 5:
        values["top_5_error"] = 100 * float(1 - hits[:, :5].any(axis=1).mean())
        names["top_5_error"] = "top-5 error (%)"
    return Scores(values, names)

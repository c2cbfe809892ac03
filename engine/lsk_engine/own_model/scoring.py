"""The likeliest class of each example or position, and how often it is wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from lsk_engine.own_model.data import ArrayExamples
from lsk_engine.progress import Progress
from lsk_engine.tasks.contract import Scores


def likeliest(
    model: Any, examples: ArrayExamples, batch_size: int, progress: Progress
) -> list[Any]:
    """Returns the likeliest class of each example, or a list of those of its positions that count.

    Of equal logits the lower class is taken.

    Args:
        model: Emits logits.
        examples: A split.
        batch_size: Examples at a time.
        progress: Is told `(done, total)`.
    """
    total = len(examples)
    size = min(batch_size, total)
    found: list[Any] = []
    for start in range(0, total, size):
        rows = np.arange(start, min(start + size, total))
        filled = np.concatenate([rows, np.zeros(size - len(rows), rows.dtype)])
        inputs, _ = examples.gather(filled, None)
        best = np.asarray(model.predict_on_batch(inputs))[: len(rows)].argmax(-1)
        if best.ndim == 1:
            found += best.tolist()
        else:
            counts = examples.counts[rows]
            found += [one[kept].tolist() for one, kept in zip(best, counts, strict=True)]
        progress(len(found), total)
    return found


def score(references: Sequence[Any], outputs: Sequence[Any]) -> Scores:
    """Scores the likeliest classes of one split; less is better.

    Args:
        references: The true class of each example, or a list of those of its positions.
        outputs: Likewise, what `likeliest` returned.

    Returns:
        `error_rate` in percent. Where each example has one label, with its Clopper–Pearson interval
        of 95 %; positions of one example depend on one another.
    """
    name, label = "error_rate", "error rate (%)"
    wanted, given = (
        np.concatenate([np.atleast_1d(one) for one in of]) for of in (references, outputs)
    )
    wrong, total = int((wanted != given).sum()), len(wanted)
    intervals = {}
    if total == len(references) and not isinstance(references[0], list):
        interval = binomtest(wrong, total).proportion_ci(method="exact")
        intervals[name] = (100 * float(interval.low), 100 * float(interval.high))
    return Scores(
        {name: 100 * wrong / total}, {name: label}, intervals=intervals, better={name: "less"}
    )

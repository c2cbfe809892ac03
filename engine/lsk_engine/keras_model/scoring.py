"""The likeliest class of each example or position, and how often it is wrong."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ls_base.errors import InputError
from lsk_engine.keras_model.data import ArrayExamples
from lsk_engine.progress import Progress
from lsk_engine.tasks.contract import Scores
from lsk_engine.tasks.percentage import percentage


def likeliest(
    predict: Callable[[Mapping[str, Any]], Any],
    examples: ArrayExamples,
    batch_size: int,
    progress: Progress,
) -> list[Any]:
    """Returns the likeliest class of each example, or a list of those of its positions that count.

    Of equal logits the lower class is taken.

    Args:
        predict: Gives the logits of a batch of inputs.
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
        best = np.asarray(predict(inputs))[: len(rows)].argmax(-1)
        found += examples.of_each(best, rows)
        progress(len(found), total)
    return found


def score(references: Sequence[Any], outputs: Sequence[Any]) -> Scores:
    """Scores the likeliest classes of one split; less is better.

    Args:
        references: The true class of each example, or a list of those of its positions; `None` of
            what has no label that counts.
        outputs: Likewise, what `likeliest` returned.

    Returns:
        `error_rate` in percent. Where each example has one label, with its Clopper–Pearson
        interval of 95 %; positions of one example depend on one another.
    """
    name, label = "error_rate", "error rate (%)"
    pairs = [pair for pair in zip(references, outputs, strict=True) if pair[0] not in (None, [])]
    if not pairs:
        raise InputError(
            "Expected examples with a label that counts, in a quick look more of them. "
            f"Received: none among {len(references)}"
        )
    wanted, given = (
        np.concatenate([np.atleast_1d(one) for one in of]) for of in zip(*pairs, strict=True)
    )
    value, interval = percentage(int((wanted != given).sum()), len(wanted))
    alone = not any(isinstance(one, list) for one in references)
    intervals = {name: interval} if alone else {}
    return Scores(
        {name: value},
        {name: label},
        intervals=intervals,
        better={name: "less"},
        bounds={name: (0.0, 100.0)},
    )

"""Drawing validation and test examples from those for training."""

from collections.abc import Mapping

import numpy as np

from ls_base.errors import InputError


def draw_rows(
    total: int, missing: Mapping[str, float | None], *, seed: int, examples: int | None, noun: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Draws the rows of splits that a source lacks, and those that are left for training.

    Args:
        total: How many examples for training the source has.
        missing: How many to draw for `test` and `validation`, in this order, where they are
            wanted, below 1 as a share of all; `None`: a sixth for testing, a tenth of what then is
            left for validation.
        seed: Of the draw.
        examples: How many of what is left to train on; `None`: all.
        noun: What examples are called in notes and errors.

    Returns:
        Ascending rows of each missing split and of `train`, and notes.

    Raises:
        InputError: If nothing would be left to train on, or a split would be empty.

    Example:
        >>> rows, notes = draw_rows(60, {"test": None}, seed=0, examples=None, noun="images")
        >>> len(rows["test"]), len(rows["train"]), notes
        (10, 50, ['test: 10 images drawn from the training images'])
    """
    wanted: dict[str, int] = {}
    for name, count in missing.items():
        usual = total // 6 if name == "test" else (total - wanted.get("test", 0)) // 10
        if count is not None and count < 1:
            count = max(round(count * total), 1)
        wanted[name] = int(count or usual)
    settings = " and ".join(f"--set data.{name}=…" for name in wanted)
    if sum(wanted.values()) >= total or not all(wanted.values()):
        raise InputError(
            f"Expected to hold out at least 1 and fewer than {total:,} training {noun}: "
            f"{settings} says how many, or which share. "
            f"Received: {', '.join(f'{count:,} for {name}' for name, count in wanted.items())}"
        )
    order = np.random.default_rng(seed).permutation(total)
    rows, notes, start = {}, [], 0
    for name, count in wanted.items():
        rows[name] = np.sort(order[start : start + count])
        notes.append(f"{name}: {count:,} {noun} drawn from the training {noun}")
        start += count
    left = order[start:]
    if examples is not None:
        if examples > len(left):
            raise InputError(
                f"Expected data.max_train_examples of at most {len(left)}, the number of training "
                f"{noun} left. Received: {examples}"
            )
        left = left[:examples]
        notes.append(f"train: {len(left):,} of {total - start:,} {noun}, drawn at random")
    rows["train"] = np.sort(left)
    return rows, notes

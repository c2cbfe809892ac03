"""Drawing validation and test utterances from those for training, by speaker where they differ."""

from collections.abc import Sequence

import numpy as np

from lsk_engine import InputError

SHARE = 0.1  # of the utterances, for each split that is missing


def hold_out(speakers: Sequence[str], splits: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """Draws splits of about a tenth each.

    Whole speakers are drawn where there are at least three for each split, so that those held out
    are not heard in training; else, or where less than half would be left for training, utterances.

    Args:
        speakers: Of each utterance.
        splits: Names of the splits to draw.
        seed: Of the draw.

    Returns:
        The rows of each split, and of `train`, ascending.

    Raises:
        InputError: If there are too few utterances.

    Example:
        >>> found = hold_out(["ann", "bo", "cy", "dee"] * 5, ["test"], seed=0)
        >>> len(found["test"]), len(found["train"])
        (5, 15)
    """
    total = len(speakers)
    if total < 3 * (len(splits) + 1):
        raise InputError(
            f"Expected at least {3 * (len(splits) + 1)} utterances to draw {', '.join(splits)} "
            f"from. Received: {total}"
        )
    names, groups = np.unique(np.asarray(speakers), return_inverse=True)
    if len(names) >= 3 * len(splits):
        found = _drawn(groups, splits, seed)
        if 2 * len(found["train"]) >= total:
            return found
    return _drawn(np.arange(total), splits, seed)


def _drawn(groups: np.ndarray, splits: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """Returns the rows of each split and of `train`, whole groups each, as long as there are."""
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    reached = np.cumsum(np.bincount(groups)[order])  # examples up to and with each group
    chosen, start = {}, 0
    for split in splits:
        before = reached[min(start, len(reached)) - 1] if start else 0
        stop = int(np.searchsorted(reached, before + SHARE * len(groups))) + 1
        chosen[split] = np.flatnonzero(np.isin(groups, order[start:stop]))
        start = stop
    chosen["train"] = np.flatnonzero(np.isin(groups, order[start:]))
    return chosen

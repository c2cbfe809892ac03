"""Drawing validation and test utterances from those for training, by speaker where they differ."""

from collections.abc import Sequence

import numpy as np

from lsk_engine import InputError

SHARE = 0.1  # of the utterances, for each split that is missing


def hold_out(speakers: Sequence[str], splits: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """Draws splits of about a tenth each.

    Whole speakers are drawn where there are at least three for each split, so that those held out
    are not heard in training; else utterances.

    Args:
        speakers: Of each utterance.
        splits: Names of the splits to draw.
        seed: Of the draw.

    Returns:
        The rows of each split, and of `train`, ascending.

    Raises:
        InputError: If too few utterances are left.

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
    rng = np.random.default_rng(seed)
    names, groups = np.unique(np.asarray(speakers), return_inverse=True)
    if len(names) < 3 * len(splits):
        groups = np.arange(total)
    order = rng.permutation(int(groups.max()) + 1)
    counts = np.bincount(groups)
    chosen, start = {}, 0
    for split in splits:
        stop = start + 1
        while counts[order[start:stop]].sum() < SHARE * total:
            stop += 1
        chosen[split] = np.flatnonzero(np.isin(groups, order[start:stop]))
        start = stop
    chosen["train"] = np.flatnonzero(np.isin(groups, order[start:]))
    if not len(chosen["train"]):
        raise InputError(
            f"Expected utterances for training beside {', '.join(splits)}. Received: none left of "
            f"{total} by {len(names)} speakers"
        )
    return chosen

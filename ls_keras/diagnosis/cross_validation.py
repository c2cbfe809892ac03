"""Folds of groups, and what a temperature gains on those that it was not fitted on."""

import numpy as np

from ls_keras.calibration.scaling.recalibration import (
    ExampleScores,
    example_scores,
    tempered_log_probabilities,
)
from ls_keras.calibration.scaling.temperature import fit_examples
from ls_keras.inputs.numpy_examples import HostExamples


def fold_ids(groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Returns the fold `(n,)` of each example: groups are whole, and shuffled.

    Args:
        groups: Integers `(n,)`.
        folds: How many; of fewer groups, each is a fold.
        seed: Of the order.

    Example:
        >>> import numpy as np
        >>> from ls_keras.diagnosis.cross_validation import fold_ids
        >>> np.bincount(fold_ids(np.repeat(np.arange(10), 3), 5, seed=0)).tolist()
        [6, 6, 6, 6, 6]
    """
    unit = np.unique(groups, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(unit.max()) + 1)
    return order[unit] % folds


def scaled_scores(examples: HostExamples, ids: np.ndarray) -> ExampleScores:
    """Returns the scores of each example at the temperature that is best for the other folds.

    Args:
        examples: At least one in each of two folds.
        ids: The fold of each.
    """
    each = ExampleScores.empty(len(ids))
    for fold in np.unique(ids):
        held_out = ids == fold
        temperature = fit_examples(examples.chosen(~held_out)).temperature
        found = example_scores(
            examples.chosen(held_out),
            lambda z, t=temperature: tempered_log_probabilities(z, t),  # type: ignore[misc]
        )
        for to, values in zip(each, found, strict=True):
            to[held_out] = values
    return each

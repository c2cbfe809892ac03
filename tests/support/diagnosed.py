"""Predictions to diagnose: too sure, and a class whose probability is off."""

import numpy as np


def predictions(number: int = 600, classes: int = 4, seed: int = 0):
    """Returns labels `(number,)`, and float32 logits `(number, classes)` twice too large."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(number, classes)) * 3
    shifted = logits / 2 + 0.5 * np.eye(classes)[0]
    return (shifted + rng.gumbel(size=logits.shape)).argmax(-1), logits.astype(np.float32)

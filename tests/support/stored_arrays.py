"""Arrays that a run stored, as tests look into them."""

from pathlib import Path

import numpy as np


def arrays_of(file: Path) -> dict[str, np.ndarray]:
    """Reads all of an `.npz`, and closes it: NumPy leaves that to the garbage collector."""
    with np.load(file) as stored:
        return dict(stored)

"""What checkpoints' files are called: known without Keras."""

import re
from pathlib import Path

_NAME = re.compile(r"step-(\d{8,})\.npz")


def checkpoint_file(directory: Path, step: int) -> Path:
    """Returns where the checkpoint of a step is, or would be."""
    return directory / f"step-{step:08d}.npz"


def checkpoint_steps(directory: Path) -> list[int]:
    """Returns the steps of the checkpoints that are there, ascending; other files don't count."""
    if not directory.is_dir():
        return []
    found = (_NAME.fullmatch(file.name) for file in directory.iterdir())
    return sorted(int(match[1]) for match in found if match)

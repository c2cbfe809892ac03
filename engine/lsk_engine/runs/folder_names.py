"""What runs are called by their folders."""

from collections.abc import Sequence
from pathlib import Path


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Returns the names of folders, or, where two have the same one, their paths.

    Args:
        paths: The folders, all different.

    Example:
    >>> folder_names([Path("a/hard"), Path("a/smoothed")])
    ['hard', 'smoothed']
    >>> folder_names([Path("a/hard"), Path("b/hard")])
    ['a/hard', 'b/hard']
    """
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]

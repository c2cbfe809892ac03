"""What a task's `data.source` says besides names of its own: a path, or a TFDS data set."""

import difflib
import os
from pathlib import Path

from ls_base.errors import InputError, short_repr
from ls_base.safe_open import expand_user

_PREFIX = "tfds:"


def path_or_name(source: str) -> Path | str:
    """Returns the path that `source` is, or the name of a data set of TensorFlow Datasets.

    A path exists, is absolute, or begins with `.` or `~`: names have separators too
    (`wmt14_translate/de-en`). After `tfds:` comes a name, whatever exists.

    Args:
        source: As the user wrote it.

    Raises:
        InputError: If it can be neither.

    Returns:
        A `Path`, a leading `~` expanded; or a `str`, `tfds:` taken away.

    Example:
        >>> path_or_name("cifar10"), path_or_name("tfds:mnist:3.0.1")
        ('cifar10', 'mnist:3.0.1')
        >>> path_or_name("./photos").name
        'photos'
    """
    if source.startswith(_PREFIX):
        return source.removeprefix(_PREFIX)
    path = expand_user(source)
    try:
        there = path.exists()
    except OSError as error:  # too long
        raise InputError(
            f"Expected a path or the name of a data set. Received: {short_repr(source)}: "
            f"{error.strerror}"
        ) from error
    return path if there or path.is_absolute() or source.startswith((".", "~")) else source


def check_near_paths(source: str) -> None:
    """Refuses a misspelled path before TensorFlow Datasets is imported, which takes seconds.

    Args:
        source: As the user wrote it. Nothing is refused if it is a path, if a data set of this
            name is prepared on this machine, or if it has a `:`, as `tfds:NAME` has.

    Raises:
        InputError: If a file or folder has nearly this name.
    """
    path = path_or_name(source)
    folder = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    if isinstance(path, Path) or ":" in source or "://" in folder:
        return
    if (Path(folder).expanduser() / source.partition("/")[0]).is_dir():
        return
    parent = Path(source).parent
    names = [str(parent / entry.name) for entry in parent.iterdir()] if parent.is_dir() else []
    near = difflib.get_close_matches(source, names, cutoff=0.7)
    if near:
        raise InputError(
            f"Expected a path, or a TFDS data set prepared in {folder}. Near matches: "
            f"{', '.join(near)}. Received: {short_repr(source)} (tfds:{source} names a data set)"
        )

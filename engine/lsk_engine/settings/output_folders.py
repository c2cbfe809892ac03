"""Settings that name a folder to write to, and whether a stored configuration may use it.

A run directory may come from somebody else, and so may its `config.json`. A command may write to
any folder that its user names. A folder that a stored configuration names is used only if it lies
in the current folder, or carries the mark of a folder that a command was told to write to.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ls_base.files import write_bytes
from ls_base.safe_open import expand_user, is_regular, resolve_path

_MARK = "CACHEDIR.TAG"  # backup programs know it as well, https://bford.info/cachedir/
_CONTENT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Cache of ls-keras.\n"
_OUTPUT = "output_folder"


def output_folder(default: str | None = None) -> Any:
    """Returns the field of a settings class that names a folder to write to.

    In a stored configuration it gets its default again unless `may_write` allows the folder, so it
    must not change results.

    Args:
        default: The default.
    """
    return dataclasses.field(default=default, metadata={_OUTPUT: True})


def is_output_folder(field: dataclasses.Field) -> bool:
    """Returns whether a field names a folder to write to: see `output_folder`."""
    return bool(field.metadata.get(_OUTPUT))


def mark_folder(folder: Path) -> None:
    """Marks a folder that a command was told to write to.

    Args:
        folder: An existing folder.

    Raises:
        FileError: If it can't be written.
    """
    if not is_regular(folder / _MARK):
        write_bytes(folder / _MARK, _CONTENT)


def may_write(folder: str, *, inside: Iterable[Path] = ()) -> bool:
    """Returns whether a folder that a stored configuration names may be written to.

    Args:
        folder: The folder; it need not exist.
        inside: Further folders that it may lie in, beside the current one.
    """
    try:
        path = resolve_path(expand_user(folder))
        if any(path.is_relative_to(own.resolve()) for own in (Path.cwd(), *inside)):
            return True
    except (OSError, ValueError):  # a circle of links, NUL
        return False
    return is_regular(path / _MARK)

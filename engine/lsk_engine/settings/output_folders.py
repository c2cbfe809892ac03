"""Settings that say where something is written: one's own count, a stranger's do not.

A run directory may be somebody else's, and so may be what its `config.json` says. What a command is
told may name any folder. What a stored configuration names is written to only if it lies in the
present folder, or has been such a folder before: then the mark is in it.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ls_base.files import write_bytes
from ls_base.safe_open import expand_user, is_regular, resolve_path

_MARK = "CACHEDIR.TAG"  # which backups and the like know too, https://bford.info/cachedir/
_CONTENT = b"Signature: 8a477f597d28d172789f06886806bc55\n# What ls-keras keeps to make it once.\n"
_WRITTEN = "written"


def written(default: str | None = None) -> Any:
    """Returns the field of a settings' dataclass that names a folder that is written to.

    In a stored configuration it is the default again, unless `may_write` says otherwise; so it must
    not change a result.

    Args:
        default: The default.
    """
    return dataclasses.field(default=default, metadata={_WRITTEN: True})


def is_written(field: dataclasses.Field) -> bool:
    """Returns whether a field names a folder that is written to: see `written`."""
    return bool(field.metadata.get(_WRITTEN))


def mark(folder: Path) -> None:
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
        inside: Further folders that it may lie in, beside the present one.
    """
    try:
        path = resolve_path(expand_user(folder))
        if any(path.is_relative_to(own.resolve()) for own in (Path.cwd(), *inside)):
            return True
    except (OSError, ValueError):  # a circle of links, NUL
        return False
    return is_regular(path / _MARK)

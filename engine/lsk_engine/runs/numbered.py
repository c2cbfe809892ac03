"""Names for folders that may be there already."""

import itertools
from collections.abc import Iterator
from pathlib import Path


def numbered(path: Path) -> Iterator[Path]:
    """Yields `path`, then `path-2`, `path-3` and so on, those that are not there.

    Example:
    >>> next(numbered(Path("no/such/run"))).name
    'run'
    """
    names = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return (one for one in itertools.chain([path], names) if not one.exists())

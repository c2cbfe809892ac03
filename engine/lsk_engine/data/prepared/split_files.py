"""The files of prepared data that every task has: artifacts, and the names of the splits.

```
DIR/ARTIFACT     each file of `TaskData.artifacts`
DIR/splits.json  the names of the splits, in order
DIR/SPLIT/       the task's files of each split
```
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ls_base.errors import InputError
from ls_base.files import write_json
from ls_base.records import read_record
from ls_base.safe_open import read_bytes, safe_join
from lsk_engine.data.lazy import LazySplits
from lsk_engine.data.prepared.checksummed_files import CheckedFiles
from lsk_engine.data.prepared.prepared_data import PreparedData
from lsk_engine.tasks.contract import Examples, TaskData

_SPLITS_FILE = "splits.json"


def write_splits(data: TaskData, directory: Path, write: Callable[[Examples, Path], None]) -> None:
    """Writes artifacts and splits, for a task's `prepare`.

    Args:
        data: The loaded data.
        directory: An empty directory.
        write: Writes a split into a folder, which it makes.
    """
    for name, content in data.artifacts.items():
        safe_join(directory, name, error=InputError).write_bytes(content)
    for name, examples in data.splits.items():
        write(examples, directory / name)
    write_json(directory / _SPLITS_FILE, list(data.splits))


def read_splits(prepared: PreparedData, read: Callable[[CheckedFiles], Examples]) -> LazySplits:
    """Returns the splits in order, each of which is read when it is first needed.

    Args:
        prepared: Data that `write_splits` wrote.
        read: Reads a split from its files.

    Raises:
        InputError: If a split is missing, or a name leads out of the folder.
    """
    names = read_record(prepared.files.file(_SPLITS_FILE), list[str], error=InputError)
    needed = {"train", "validation", "test"}
    if not needed <= set(names) or len(set(names)) < len(names):
        raise InputError(
            f"Expected the splits train, validation and test in {prepared.path / _SPLITS_FILE}, "
            f"each once. Received: {', '.join(names) or 'none'}"
        )
    files = {name: prepared.files.below(name) for name in names}
    return LazySplits({name: functools.partial(read, of) for name, of in files.items()})


def read_artifacts(
    prepared: PreparedData,
    names: Iterable[str],
    artifacts: Mapping[str, bytes] | None,
    *,
    what: str,
) -> dict[str, bytes]:
    """Reads the artifacts; those of an existing run must be equal.

    Args:
        prepared: Data that `write_splits` wrote.
        names: The names of artifacts that the task may have.
        artifacts: The run's artifacts; `None`: the run is new.
        what: A description of other artifacts, for the error.

    Raises:
        InputError: If the run has other artifacts.
    """
    stored = {
        name: read_bytes(prepared.files.file(name), error=InputError)
        for name in names
        if name in prepared.files
    }
    if artifacts is not None and dict(artifacts) != stored:
        raise InputError(
            "Expected the data that the run was trained on. Received: "
            f"{prepared.path}, prepared with {what}"
        )
    return stored

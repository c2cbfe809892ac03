"""Data that runs share: prepared once in a folder, and read by each of them from there.

Prepared data are memory maps: what several processes read of them is in memory once.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, LsKerasError
from lsk_engine.data.lazy import LazySplits
from lsk_engine.data.prepared import is_offered, is_prepared, prepare
from lsk_engine.data.quick_look import quick_look
from lsk_engine.progress import Reporter
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Examples, Task, TaskData

_FOLDER = "LSK_SHARED_DATA"  # an environment variable: for the processes of a study


@contextlib.contextmanager
def shared_data(
    task: Task, configs: Iterable[Config], folder: Path, reporter: Reporter
) -> Iterator[None]:
    """Lets runs share their data while the block runs: in this process, and in those it starts.

    What can't be prepared, each run loads for itself, and says what is wrong with it.

    Args:
        task: The task; if it does not offer to prepare data, nothing is shared.
        configs: Of the runs that are to be trained. What two or more have in common is prepared.
        folder: Where to; of what is there already, nothing is prepared again.
        reporter: Who is told.

    Raises:
        InputError: If data that are there already were prepared of files that have changed.
    """
    if not is_offered(task):
        yield
        return
    files = functools.cache(_files)  # many runs, one look at what they read
    named = [(_name(config, files(config.data.source)), config) for config in configs]
    runs = Counter(name for name, _ in named)
    for name, config in dict(named).items():
        there = is_prepared(str(folder / name)) or is_prepared(config.data.source)
        if runs[name] > 1 and not there:
            _refuse_older(folder, name, config.data.source)
            reporter.status(functools.partial("preparing the data of {} runs".format, runs[name]))
            with contextlib.suppress(LsKerasError):
                prepare(task, config, folder / name)
    before = os.environ.get(_FOLDER)
    os.environ[_FOLDER] = str(folder.absolute())
    try:
        yield
    finally:
        del os.environ[_FOLDER]
        if before is not None:
            os.environ[_FOLDER] = before


def load_data(task: Task, config: Config, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Loads a run's data: from what runs share, if they are there, or else from their source.

    Of `training.max_examples`, as many of each split.

    Args:
        task: The task.
        config: The run's configuration.
        artifacts: As for `Task.load_data`.
    """
    return quick_look(_loaded(task, config, artifacts), config.training.max_examples)


def _loaded(task: Task, config: Config, artifacts: Mapping[str, bytes] | None) -> TaskData:
    folder = os.environ.get(_FOLDER)
    shared = folder and str(Path(folder) / _name(config, _files(config.data.source)))
    if shared and is_prepared(shared):
        # Damaged, or with the vocabulary of another teacher: the source has what there is to say.
        with contextlib.suppress(LsKerasError):
            found = task.load_data(config.changed("data", source=shared), artifacts)
            return dataclasses.replace(found, splits=_or_else(found, task, config, artifacts))
    return task.load_data(config, artifacts)


def _or_else(
    shared: TaskData, task: Task, config: Config, artifacts: Mapping[str, bytes] | None
) -> Mapping[str, Examples]:
    """Returns the shared splits; in place of one that proves damaged, the source's."""
    if not isinstance(shared.splits, LazySplits):
        return shared.splits
    source = functools.cache(lambda: task.load_data(config, artifacts).splits)

    def loader(name: str) -> Callable[[], Examples]:
        def load() -> Examples:
            try:
                return shared.splits[name]
            except LsKerasError:
                return source()[name]

        return load

    return LazySplits({name: loader(name) for name in shared.splits})


def _refuse_older(folder: Path, name: str, source: str) -> None:
    settings, _, _ = name.partition("-")
    older = next(folder.glob(f"{settings}-*"), None)
    if older is not None:
        raise InputError(
            f"Expected {source} as it was when it was prepared; take another folder (--out) for "
            f"what it is now. Received: other files than those of {older}"
        )


def _name(config: Config, files: list[tuple[str, int, int]]) -> str:
    """Returns what data are called in the folder: SETTINGS-FILES, a digest of either.

    Files are alike that have the same name, size and time: they are not read for that.
    """
    settings = {"task": config.task, **dataclasses.asdict(config.data)}
    return f"{_digest(settings)}-{_digest(files)}"


def _files(source: str | None) -> list[tuple[str, int, int]]:
    """Returns name, size and time of the files that data are read from; none: they have a name.

    Of a folder, those that lie in it, and none below: the study itself may write there.
    """
    if not source:
        return []
    path = Path(source)
    try:
        files = [path] if path.is_file() else sorted(f for f in path.iterdir() if f.is_file())
        states = [(str(file.relative_to(path)), file.stat()) for file in files]
    except OSError:
        return []
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

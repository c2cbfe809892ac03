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
from ls_base.records import read_record
from lsk_engine.data.fingerprint import compare_fingerprints, fingerprint_data
from lsk_engine.data.lazy import LazySplits
from lsk_engine.data.prepared.prepared_data import (
    can_prepare,
    prepare,
)
from lsk_engine.data.subsample import subsample
from lsk_engine.progress import Reporter
from lsk_engine.settings.config import Config
from lsk_engine.settings.prepared_manifest import MANIFEST_FILE, is_prepared
from lsk_engine.tasks.contract import Examples, Task, TaskData

_FOLDER = "LSK_SHARED_DATA"  # an environment variable: for the processes of a study


@contextlib.contextmanager
def prepare_shared(
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
        InputError: If data that are there already were prepared of others than there are now.
    """
    if not can_prepare(task):
        yield
        return
    # Many runs, one look at what they read.
    files = functools.cache(functools.partial(_files, without=folder.parent))
    named = [(_name(config, files(config.data.source)), config) for config in configs]
    runs = Counter(name for name, _ in named)
    for name, config in dict(named).items():
        there = is_prepared(str(folder / name)) or is_prepared(config.data.source)
        if runs[name] > 1 and not there:
            reporter.status(functools.partial("preparing the data of {} runs".format, runs[name]))
            if _take_older(task, config, folder, name):
                continue
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
    return subsample(_loaded(task, config, artifacts), config.training.max_examples)


def _loaded(task: Task, config: Config, artifacts: Mapping[str, bytes] | None) -> TaskData:
    folder = os.environ.get(_FOLDER)
    if not folder:
        return task.load_data(config, artifacts)
    files = _files(config.data.source, without=Path(folder).parent)
    shared = str(Path(folder) / _name(config, files))
    if is_prepared(shared):
        # Damaged, or with the vocabulary of another teacher: the source has what there is to say.
        with contextlib.suppress(LsKerasError):
            found = task.load_data(config.replace("data", source=shared), artifacts)
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


def _take_older(task: Task, config: Config, folder: Path, name: str) -> bool:
    """Takes what was prepared of other files, if it is the same data; returns whether it is there.

    A note beside the data, or another time after a copy, makes no others of them.
    """
    settings, _, _ = name.partition("-")
    older = next(folder.glob(f"{settings}-*"), None)
    if older is None:
        return False
    there, now = (
        fingerprint_data(task.load_data(of))
        for of in (config.replace("data", source=str(older)), config)
    )
    if changed := compare_fingerprints(there, now):
        raise InputError(
            f"Expected {config.data.source} as it was when it was prepared; take another folder "
            f"(--out) for what it is now. Received: other data than those of {older} "
            f"({'; '.join(changed)})"
        )
    older.rename(folder / name)
    return True


def _name(config: Config, files: list[tuple[str, int, int]]) -> str:
    """Returns what data are called in the folder: SETTINGS-FILES, a digest of either.

    Files are alike that have the same name, size and time: they are not read for that.
    """
    settings = {"task": config.task, **dataclasses.asdict(config.data)}
    return f"{_digest(settings)}-{_digest(files)}"


def _files(source: str | None, *, without: Path) -> list[tuple[str, int, int]]:
    """Returns name, size and time of the files that data are read from; none: they have a name.

    Of a folder, all below it but what is hidden, and what runs and studies have written.

    Args:
        source: A path, or a name.
        without: The folder of the study itself.
    """
    if not source:
        return []
    path = Path(source)
    try:
        files = [path] if path.is_file() else sorted(_below(path, without.resolve()))
        states = [(str(file.relative_to(path)), file.stat()) for file in files]
    except OSError:
        return []
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]


def _below(top: Path, without: Path) -> Iterator[Path]:
    seen = {without}
    for name, folders, files in os.walk(top, followlinks=True):
        folder = Path(name)
        real = folder.resolve()
        if real in seen or (folder != top and _is_written(folder)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [one for one in folders if not one.startswith(".")]
        yield from (folder / one for one in files if not one.startswith("."))


def _is_written(folder: Path) -> bool:
    """Returns whether a folder is a run, a study or a prepared data set."""
    for name in ("config.json", "study.json", MANIFEST_FILE):
        with contextlib.suppress(LsKerasError):
            read_record(folder / name, dict[str, Any])
            return True
    return False


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

"""A data cache for the runs of a study: data are prepared once in a folder, and read from there.

Prepared data are memory maps: several processes that read them share one copy in memory.
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
from ls_base.records import Record, read_record
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


def fill_cache(task: Task, configs: Iterable[Config], folder: Path, reporter: Reporter) -> None:
    """Prepares the data that two or more runs have in common.

    Data that can't be prepared are skipped: each run loads them itself, and reports what is wrong.

    Args:
        task: The task; if its data can't be prepared, nothing is done.
        configs: The configurations of the runs that will be trained.
        folder: The cache; data that are in it already are not prepared again.
        reporter: Receives progress.

    Raises:
        InputError: If the cache holds data of the same settings, and their source has changed.
    """
    if not can_prepare(task):
        return
    # Many runs, one look at the files of each source.
    files = functools.cache(functools.partial(_stat_files, without=folder.parent))
    named = [(_cache_name(config, files(config.data.source)), config) for config in configs]
    runs = Counter(name for name, _ in named)
    for name, config in dict(named).items():
        found = is_prepared(str(folder / name)) or is_prepared(config.data.source)
        if runs[name] > 1 and not found:
            reporter.status(functools.partial("preparing the data of {} runs".format, runs[name]))
            if not _rename_entry(task, config, folder, name):
                with contextlib.suppress(LsKerasError):
                    prepare(task, config, folder / name)


def load_data(
    task: Task, config: Config, artifacts: Mapping[str, bytes] | None, cache: Path | None = None
) -> TaskData:
    """Loads a run's data from a cache, if they are in it, or else from their source.

    At most `training.max_examples` examples of each split are used.

    Args:
        task: The task.
        config: The run's configuration.
        artifacts: As for `Task.load_data`.
        cache: A folder that `fill_cache` wrote to; it need not exist.
    """
    data = _load_cached(task, config, artifacts, cache) if cache and cache.is_dir() else None
    return subsample(data or task.load_data(config, artifacts), config.training.max_examples)


def _load_cached(
    task: Task, config: Config, artifacts: Mapping[str, bytes] | None, cache: Path
) -> TaskData | None:
    """Returns the data if the cache has them; splits that prove damaged come from the source."""
    files = _stat_files(config.data.source, without=cache.parent)
    cached = str(cache / _cache_name(config, files))
    if not is_prepared(cached):
        return None
    try:
        data = task.load_data(config.replace("data", source=cached), artifacts)
    except LsKerasError:  # damaged, or prepared with another teacher's vocabulary
        return None
    if not isinstance(data.splits, LazySplits):
        return data
    source = functools.cache(lambda: task.load_data(config, artifacts).splits)

    def load(name: str) -> Examples:
        try:
            return data.splits[name]
        except LsKerasError:
            return source()[name]

    loaders: dict[str, Callable[[], Examples]] = {
        name: functools.partial(load, name) for name in data.splits
    }
    return dataclasses.replace(data, splits=LazySplits(loaders))


def _rename_entry(task: Task, config: Config, folder: Path, name: str) -> bool:
    """Takes an entry of the same settings if its data are equal; returns whether it did.

    The source's files may differ without changing the data: a note beside them, or another time
    after a copy.
    """
    settings, _, _ = name.partition("-")
    entry = next(folder.glob(f"{settings}-*"), None)
    if entry is None:
        return False
    cached, now = (
        fingerprint_data(task.load_data(of))
        for of in (config.replace("data", source=str(entry)), config)
    )
    if changed := compare_fingerprints(cached, now):
        raise InputError(
            f"Expected {config.data.source} as it was when it was prepared; start a study in "
            f"another folder (--out) for its new content. Received: other data than those of "
            f"{entry} ({'; '.join(changed)})"
        )
    entry.rename(folder / name)
    return True


def _cache_name(config: Config, files: list[tuple[str, int, int]]) -> str:
    """Returns the name of an entry: SETTINGS-FILES, a hash of each.

    Files are equal if they have the same name, size and time; they are not read.
    """
    settings = {"task": config.task, **dataclasses.asdict(config.data)}
    return f"{_hash(settings)}-{_hash(files)}"


def _stat_files(source: str | None, *, without: Path) -> list[tuple[str, int, int]]:
    """Returns name, size and time of the source's files; none for a data set with a name.

    In a folder, hidden files and those that runs and studies have written don't count.

    Args:
        source: A path, or a name.
        without: The study's own folder.
    """
    if not source:
        return []
    path = Path(source)
    try:
        files = [path] if path.is_file() else sorted(_walk(path, without.resolve()))
        states = [(str(file.relative_to(path)), file.stat()) for file in files]
    except OSError:
        return []
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]


def _walk(top: Path, without: Path) -> Iterator[Path]:
    seen = {without}
    for name, folders, files in os.walk(top, followlinks=True):
        folder = Path(name)
        real = folder.resolve()
        if real in seen or (folder != top and _is_output(folder)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [one for one in folders if not one.startswith(".")]
        yield from (folder / one for one in files if not one.startswith("."))


def _is_output(folder: Path) -> bool:
    """Returns whether a folder is a run, a study or a prepared data set."""
    for name in ("config.json", "study.json", MANIFEST_FILE):
        with contextlib.suppress(LsKerasError):
            read_record(folder / name, _WithSchema)
            return True
    return False


class _WithSchema(Record, frozen=True):
    """What any of these files holds, in whichever version."""

    schema: int


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

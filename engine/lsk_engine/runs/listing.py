"""Listing the runs below a folder with their state and scores; reads files only."""

import dataclasses
import os
from collections.abc import Iterator
from os.path import lexists
from pathlib import Path
from typing import Literal

from ls_base.errors import FileError, InputError, LsKerasError
from ls_base.safe_open import is_regular
from lsk_engine.runs.run_directory import RunDirectory

State = Literal["finished", "running", "stopped", "damaged"]


@dataclasses.dataclass(frozen=True)
class ListedRun:
    """A run, as a list shows it.

    Attributes:
        path: The run directory.
        state: `finished`: it has final scores; `running`: a process is writing it; `stopped`: it
            can be resumed; `damaged`: a file can't be read.
        written: When it was last written, in seconds since 1970.
        task: The task's name; empty for a damaged run.
        preset: The preset's name.
        alpha: Smoothing.
        seed: The random seed.
        step: The last step in the history.
        score: The task's first score, as name, label and value; `None` for an unfinished run.
        split: The split of the score.
        note: What is damaged.
    """

    path: Path
    state: State
    written: float
    task: str = ""
    preset: str = ""
    alpha: float | None = None
    seed: int | None = None
    step: int = 0
    score: tuple[str, str, float] | None = None
    split: str = "validation"
    note: str = ""


def list_runs(folder: Path) -> list[ListedRun]:
    """Returns the runs below a folder, or the folder itself if it is a run, sorted by name.

    Links to folders are not followed, and runs are not searched for further runs.

    Args:
        folder: An existing folder.

    Raises:
        InputError: If there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"Expected a folder with runs. Received: {folder}")
    return [_read(path) for path in _find(folder)]


def is_running(run: RunDirectory) -> bool:
    """Returns whether a process is writing a run; `False` if its lock can't be tried."""
    try:
        return run.is_locked()
    except FileError:  # no right to write the lock
        return False


def _find(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        if "config.json" in files:
            folders.clear()
            yield Path(path)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _read(path: Path) -> ListedRun:
    run = RunDirectory(path)
    files = (run.metrics_file, run.history_file, run.log_file, run.config_file)
    written = max((file.stat().st_mtime for file in files if is_regular(file)), default=0.0)
    try:
        config, entry = run.read_config(), run.read_last_entry()
        score, split = None, "validation"
        if finished := lexists(run.metrics_file):
            metrics = run.read_metrics()
            split = split if split in metrics.splits else next(iter(metrics.splits), split)
            if metrics.labels:
                score = metrics.first_score(split)
    except LsKerasError as error:
        return ListedRun(path, "damaged", written, note=str(error))
    return ListedRun(
        path,
        "running" if is_running(run) else "finished" if finished else "stopped",
        written,
        task=config["task"],
        preset=config["preset"],
        alpha=config["training"].get("alpha"),
        seed=config["training"].get("seed"),
        step=entry["step"] if entry else 0,
        score=score,
        split=split,
    )

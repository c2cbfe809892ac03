"""What runs lie below a folder, in which state, and how they went; files are read only."""

import dataclasses
import os
from collections.abc import Iterator
from os.path import lexists
from pathlib import Path
from typing import Any, Literal

from ls_base.errors import FileError, InputError, LsKerasError
from ls_base.safe_open import is_regular
from lsk_engine.runs.run_directory import RunDirectory

State = Literal["finished", "running", "stopped", "damaged"]


@dataclasses.dataclass(frozen=True)
class ListedRun:
    """A run, as a list shows it.

    Attributes:
        path: The run directory.
        state: `finished`: it has its final scores; `running`: a process is at work in it;
            `stopped`: it can be gone on with; `damaged`: a file isn't what it has to be.
        written: When it was last written to, in seconds since 1970.
        task: The task's name; empty where the run is damaged.
        preset: The recipe's.
        alpha: Smoothing.
        seed: Of everything random.
        step: The last step that history tells of.
        score: The task's first score, its name, label and value; `None` of an unfinished run.
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
    """Returns the runs below a folder, or the one that it is; by name.

    Links to folders are not followed, and nothing is looked for inside of a run.

    Args:
        folder: An existing folder.

    Raises:
        InputError: If there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"Expected a folder with runs. Received: {folder}")
    return [_listed(path) for path in _found(folder)]


def _found(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        if "config.json" in files:
            folders.clear()
            yield Path(path)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _listed(path: Path) -> ListedRun:
    run = RunDirectory(path)
    files = (run.metrics_file, run.history_file, run.log_file, run.config_file)
    written = max((file.stat().st_mtime for file in files if is_regular(file)), default=0.0)
    try:
        config = run.read_config()
        history = run.read_history()
        known: dict[str, Any] = {
            "task": config["task"],
            "preset": config["preset"],
            "alpha": config["training"].get("alpha"),
            "seed": config["training"].get("seed"),
            "step": history[-1]["step"] if history else 0,
        }
        score, split = None, "validation"
        if finished := lexists(run.metrics_file):
            metrics = run.read_metrics()
            split = split if split in metrics.splits else next(iter(metrics.splits), split)
            if metrics.labels:
                score = metrics.first_score(split)
    except LsKerasError as error:
        return ListedRun(path, "damaged", written, note=str(error))
    state: State = "stopped"
    if is_running(run):
        state = "running"
    elif finished:
        state = "finished"
    return ListedRun(path, state, written, **known, score=score, split=split)


def is_running(run: RunDirectory) -> bool:
    """Returns whether a process is at work in a run, as far as that can be seen.

    Args:
        run: The run.
    """
    try:
        return run.is_locked()
    except FileError:  # whoever may not write here may not ask either
        return False

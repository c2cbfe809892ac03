"""What lies in the folders that somebody wants a report of: studies and runs."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from ls_base.errors import InputError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.study_folder import RUNS, settings_file


@dataclasses.dataclass(frozen=True)
class Found:
    """The folders that a report is of, in the order that they were given and by name.

    Attributes:
        runs: Each run directory, by the name that the report calls it.
        studies: Folders of studies, by name.
    """

    runs: dict[str, Path] = dataclasses.field(default_factory=dict)
    studies: dict[str, Path] = dataclasses.field(default_factory=dict)


def find(folders: Sequence[Path]) -> Found:
    """Finds the runs and studies in folders, or that they are.

    Links to folders are not followed, and nothing is looked for inside of a run.

    Args:
        folders: Existing folders.

    Raises:
        InputError: If one is no folder, or holds no run or study.
    """
    found, seen = Found(), set[Path]()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"Expected a run, or a folder with runs. Received: {folder}")
        there = False
        for name, inner, _ in os.walk(folder):
            path = Path(name)
            known = _kind(path, inner, found)
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            if known is None:
                continue
            there = True
            if path.resolve() not in seen:  # not given twice, nor inside of another one
                seen.add(path.resolve())
                known[_name(path, folder, known)] = path
        if not there:
            raise InputError(
                "Expected a folder with a run that `lsk train` made, or a study's. "
                f"Received: {folder}, which holds none"
            )
    return found


def _kind(path: Path, inner: list[str], found: Found) -> dict[str, Path] | None:
    """Returns where a folder belongs; of a run, `inner` is emptied: nothing is looked for in it."""
    if os.path.lexists(RunDirectory(path).config_file):
        inner.clear()
        return found.runs
    # A file's name alone says too little: `lsk sweep-temperature --output study.png` has one, too.
    if RUNS in inner and os.path.lexists(settings_file(path)):
        return found.studies
    return None


def _name(path: Path, folder: Path, known: dict[str, Path]) -> str:
    """Returns a path below the folder that was given, or the whole where that is taken."""
    name = path.relative_to(folder).as_posix()
    if name == ".":
        name = path.resolve().name
    return str(path) if name in known else name

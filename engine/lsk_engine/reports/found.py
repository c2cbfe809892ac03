"""What lies in the folders that somebody wants a report of: studies, sweeps, runs."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from ls_base.errors import InputError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.study_folder import settings_file


@dataclasses.dataclass(frozen=True)
class Found:
    """The folders that a report is of, in the order that they were given and by name.

    Attributes:
        runs: Each run directory, by the name that the report calls it.
        studies: Folders of `lsk study`, by name.
        sweeps: Folders of `lsk sweep-distillation`, by name.
    """

    runs: dict[str, Path] = dataclasses.field(default_factory=dict)
    studies: dict[str, Path] = dataclasses.field(default_factory=dict)
    sweeps: dict[str, Path] = dataclasses.field(default_factory=dict)


def find(folders: Sequence[Path]) -> Found:
    """Finds the runs, studies and sweeps in folders, or that they are.

    Links to folders are not followed, and nothing is looked for inside of a run.

    Args:
        folders: Existing folders.

    Raises:
        InputError: If one is no folder, or holds no run, study or sweep.
    """
    found = Found()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"Expected a run, or a folder with runs. Received: {folder}")
        before = len(found.runs), len(found.studies), len(found.sweeps)
        for path, inner, _ in os.walk(folder):
            _note(Path(path), folder, found, inner)
        if before == (len(found.runs), len(found.studies), len(found.sweeps)) and not any(
            folder.resolve() == known.resolve() for known in found.runs.values()
        ):
            raise InputError(
                "Expected a folder with a run that `lsk train` made, or what `lsk study` or "
                f"`lsk sweep-distillation` made. Received: {folder}, which holds none"
            )
    return found


def _note(path: Path, folder: Path, found: Found, inner: list[str]) -> None:
    """Notes what a folder is; empties `inner` where nothing inside is to be looked at."""
    inner[:] = sorted(name for name in inner if not name.startswith("."))
    if os.path.lexists(RunDirectory(path).config_file):
        inner.clear()
        _add(found.runs, path, folder)
    elif os.path.lexists(settings_file(path)):
        _add(found.studies, path, folder)
    elif os.path.lexists(settings_file(path, "sweep")):
        _add(found.sweeps, path, folder)


def _add(known: dict[str, Path], path: Path, folder: Path) -> None:
    """Adds a folder by its path below the one that was given, or by the whole where that is taken.

    One that was given twice, or inside of another one, is there once.
    """
    if any(path.resolve() == other.resolve() for other in known.values()):
        return
    name = path.relative_to(folder).as_posix()
    if name == ".":
        name = path.resolve().name
    known[str(path) if name in known else name] = path

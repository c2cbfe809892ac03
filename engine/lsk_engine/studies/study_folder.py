"""The folder of a study: its files, its lock, and the settings that all of its runs share."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from os.path import lexists
from pathlib import Path
from typing import Any

from ls_base.errors import InputError
from ls_base.files import write_json
from ls_base.records import read_record
from lsk_engine.runs.locking import hold_lock
from lsk_engine.settings.config import CONFIG_SCHEMA
from lsk_engine.settings.parsing import flat
from lsk_engine.studies.settings_diff import first_differences

RUNS, TEACHERS, STUDENTS = "runs", "teachers", "students"  # folders inside
DATA = "data"  # folder inside, of prepared data that the runs share
RESULTS_FILE = "results.json"
FIGURE_FILE = "distillation-sweep.png"  # of teachers and students, with its numbers beside it
_LOCK_FILE = ".lock"


def settings_file(directory: Path) -> Path:
    """Returns the file with the settings that all runs of a study share."""
    return directory / "study.json"


@contextlib.contextmanager
def study_folder(directory: Path, shared: Mapping[str, Any]) -> Iterator[None]:
    """Locks a study's folder while the block runs, and stores what its runs share.

    Args:
        directory: The folder; it is made if it does not exist.
        shared: What its runs share, as JSON can hold it.

    Raises:
        InputError: If the folder holds something else, another process uses it, or it was made
            with other settings.
        FileError: If it cannot be written.
    """
    file = settings_file(directory)
    settings = json.loads(json.dumps({"schema": CONFIG_SCHEMA, **shared}))
    _check(directory, file, settings)  # before anything is written into it
    with contextlib.ExitStack() as contexts:
        try:
            contexts.enter_context(hold_lock(directory / _LOCK_FILE, wait=False))
        except BlockingIOError:
            raise InputError(
                f"Expected a folder that no other study uses. Received: {directory}"
            ) from None
        _check(directory, file, settings)
        write_json(file, settings)
        yield


def _check(directory: Path, file: Path, settings: Mapping[str, Any]) -> None:
    """Raises an error if a folder holds something else than this study."""
    if not lexists(file):
        if directory.exists() and (
            not directory.is_dir() or {p.name for p in directory.iterdir()} - {_LOCK_FILE}
        ):
            raise InputError(
                f"Expected a new or empty folder, or one of a study. Received: {directory}"
            )
        return
    stored = read_record(file, dict[str, Any], schema=CONFIG_SCHEMA)
    if differences := first_differences(flat(stored), flat(settings)):
        expected, received = differences
        raise InputError(
            f"Expected the settings of the study in {directory} ({expected}), or another folder. "
            f"Received: {received}"
        )

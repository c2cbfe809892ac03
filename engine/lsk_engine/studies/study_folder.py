"""The folder of many runs: one process is at work in it, for what it was made for."""

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
from lsk_engine.studies.settings_diff import unlike

RUNS, TEACHERS, STUDENTS = "runs", "teachers", "students"  # folders inside
DATA = "data"  # a folder inside, of what the runs share
RESULTS_FILE = "results.json"
FIGURE_FILE = "distillation-sweep.png"  # of teachers and students, its numbers beside it
_LOCK_FILE = ".lock"


def settings_file(directory: Path) -> Path:
    """Returns where it is said what all runs of a study's folder have in common."""
    return directory / "study.json"


@contextlib.contextmanager
def study_folder(directory: Path, made_with: Mapping[str, Any]) -> Iterator[None]:
    """Holds a folder while the block runs, and keeps what all of its runs have in common.

    Args:
        directory: The folder; made if it isn't there.
        made_with: What its runs have in common, as JSON can hold it.

    Raises:
        InputError: If it holds something else, another process is at work in it, or it was made
            with something else.
        FileError: If it can't be written.
    """
    file = settings_file(directory)
    settings = json.loads(json.dumps({"schema": CONFIG_SCHEMA, **made_with}))
    _check(directory, file, settings)  # before anything of ours is in it
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(hold_lock(directory / _LOCK_FILE, wait=False))
        except BlockingIOError:
            raise InputError(
                f"Expected a folder that no other study is at work in. Received: {directory}"
            ) from None
        _check(directory, file, settings)
        write_json(file, settings)
        yield


def _check(directory: Path, file: Path, settings: Mapping[str, Any]) -> None:
    """Refuses a folder that holds something else."""
    if not lexists(file):
        if directory.exists() and (
            not directory.is_dir() or {p.name for p in directory.iterdir()} - {_LOCK_FILE}
        ):
            raise InputError(
                f"Expected a new or empty folder, or one that a study made. Received: {directory}"
            )
        return
    there = read_record(file, dict[str, Any], schema=CONFIG_SCHEMA)
    if differing := unlike(flat(there), flat(settings)):
        expected, received = differing
        raise InputError(
            f"Expected the settings of the study in {directory} ({expected}), or another folder. "
            f"Received: {received}"
        )

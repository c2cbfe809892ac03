"""A run as a process has it that trains along with the chief: a copy, which it may write."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ls_base.errors import FileError
from lsk_engine.runs.run_directory import RunDirectory

# What training goes on from; everything else it makes itself, as the chief does.
_NEEDED = ("config.json", "data.json", "history.jsonl", "artifacts", "checkpoints")


@contextlib.contextmanager
def private_copy(run: RunDirectory) -> Iterator[RunDirectory]:
    """Yields a copy of a run for a process that makes the chief's steps, and is no chief.

    It has the chief's configuration, vocabulary and checkpoints; what the process writes goes into
    the copy, which is removed. So only the chief writes the run, and nothing that writes has to ask
    who it is.

    Args:
        run: The chief's, on a file system that this process sees as well.

    Raises:
        FileError: If it isn't to be seen.
    """
    if not run.config_file.is_file():
        raise FileError(
            "Expected the run directory on a file system that all processes see (--run-dir or "
            f"--resume with the same path for all). Received: {run.path} without config.json"
        )
    with tempfile.TemporaryDirectory(prefix="lsk-follower-") as folder:
        copy = RunDirectory(Path(folder) / run.path.name)
        copy.path.mkdir()
        for name in _NEEDED:
            source, target = run.path / name, copy.path / name
            if source.is_dir():
                shutil.copytree(source, target, copy_function=_linked)
            elif source.is_file():
                shutil.copy2(source, target)  # a history is written on
        for made in (copy.artifacts, copy.checkpoints, copy.outputs):
            made.mkdir(exist_ok=True)
        yield copy


def _linked(source: str, target: str) -> None:
    """Copies a file that nobody writes on; on one file system it takes no place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

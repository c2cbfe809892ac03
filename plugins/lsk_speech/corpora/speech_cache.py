"""Speech made on the spot, kept in a folder so that it is made once."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import FileError
from ls_base.files import new_folder, wrap_os_errors
from lsk_engine import InputError
from lsk_engine.data.prepared.checksummed_files import CheckedFiles
from lsk_engine.progress import Reporter
from lsk_engine.settings.output_folders import mark_folder
from lsk_speech.corpora.stored_speech import read_speech, write_speech
from lsk_speech.source_data import Speech

Splits = Mapping[str, Speech]
_MAKING = "making"


def cache_folder(chosen: str | None) -> Path:
    """Returns the folder `chosen`, or `ls-keras` in the user's cache folder."""
    if chosen is not None:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ls-keras"


def cached(folder: Path, name: str, key: Mapping[str, Any], make: Callable[[], Splits]) -> Splits:
    """Returns splits from the cache, or makes them and puts them there.

    They are in the cache whole or not at all. What processes left that were killed while writing
    goes away. Where the folder can't be written, that is a warning.

    Args:
        folder: The cache.
        name: What it is, as the first part of a folder's name.
        key: All that the result depends on, as JSON can hold it.
        make: Makes the splits.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"{name}-{digest}"
    if path.is_dir():
        try:
            return {split.name: _read(split) for split in sorted(path.iterdir())}
        except InputError:  # not whole after a power cut, or somebody's hand
            shutil.rmtree(path, ignore_errors=True)
    splits = make()
    try:
        with wrap_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with new_folder(path, mark=_MAKING) as made:
                for split, speech in splits.items():
                    write_speech(speech, made / split)
            mark_folder(folder)
    except FileError as error:
        if not path.is_dir():  # else another process was faster
            Reporter(verbosity=-1).warning(f"speech is not kept for the next time. {error}")
            return splits
    return {split: _read(path / split) for split in splits}  # memory-mapped from now on


def _read(folder: Path) -> Speech:
    return read_speech(CheckedFiles.of_folder(folder))

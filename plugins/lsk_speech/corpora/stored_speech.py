"""A split of utterances on disk, read through a memory map, and a cache of generated speech.

```
DIR/rows.npy        all utterances' samples (or feature frames), concatenated
DIR/offsets.npy     where each begins, and the end of the last
DIR/utterances.tsv  speaker, tab, transcript: a line per utterance
```
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.errors import FileError
from ls_base.files import new_folder, wrap_os_errors, write_bytes
from ls_base.npz import ArraySpec
from ls_base.safe_open import read_bytes
from lsk_engine import InputError
from lsk_engine.data.prepared.checksummed_files import CheckedFiles
from lsk_engine.progress import Reporter
from lsk_engine.settings.output_folders import mark_folder
from lsk_speech.source_data import Speech

_ROWS, _OFFSETS, _UTTERANCES = "rows.npy", "offsets.npy", "utterances.tsv"


def write_speech(speech: Speech, folder: Path) -> None:
    """Writes a split into the new folder `folder`, and flushes it to the disk."""
    folder.mkdir()
    speech.rows.save(folder / _ROWS, folder / _OFFSETS, version=(2, 0))
    lines = zip(speech.speakers, speech.texts, strict=True)
    content = "".join(f"{speaker}\t{text}\n" for speaker, text in lines)
    write_bytes(folder / _UTTERANCES, content.encode())


def read_speech(files: CheckedFiles) -> Speech:
    """Opens what `write_speech` wrote.

    Args:
        files: The files of the split.

    Raises:
        InputError: If it is incomplete.
    """
    rows = files.ragged(_ROWS, _OFFSETS, ArraySpec("if"))
    content = read_bytes(files.file(_UTTERANCES), error=InputError)
    folder = files.path
    try:
        lines = content.decode("utf-8").splitlines()
        speakers, texts = zip(*(line.split("\t") for line in lines), strict=True)
    except ValueError as error:
        raise InputError(
            f"Expected a split of utterances in {folder}. Received: {error}"
        ) from error
    total = int(rows.lengths.sum())
    if len(rows) != len(texts) or total != len(rows.values):
        raise InputError(
            f"Expected a whole split of utterances in {folder}. Received: {len(texts)} "
            f"transcripts, {len(rows)} utterances of {total} rows in all, {len(rows.values)} rows"
        )
    values = rows.values
    sound = values.dtype == np.int16 and values.ndim == 1
    if not (sound or (values.dtype.kind == "f" and values.ndim == 2)):
        raise InputError(
            f"Expected int16 samples, or float frames, in {folder}. "
            f"Received: {values.dtype} of shape {values.shape}"
        )
    return Speech(rows, texts, speakers)


Splits = Mapping[str, Speech]


def cache_folder(chosen: str | None) -> Path:
    """Returns the folder `chosen`, or `ls-keras` in the user's cache folder."""
    if chosen is not None:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ls-keras"


def cached(folder: Path, name: str, key: Mapping[str, Any], make: Callable[[], Splits]) -> Splits:
    """Returns splits from the cache, or generates and stores them.

    The cache has complete splits only: leftovers of killed processes are removed. If the folder
    cannot be written, a warning is logged.

    Args:
        folder: The cache.
        name: First part of the entry's folder name.
        key: Everything that the result depends on, as JSON values.
        make: Generates the splits.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"{name}-{digest}"
    if path.is_dir():
        try:
            return {split.name: _read(split) for split in sorted(path.iterdir())}
        except InputError:  # incomplete after a power cut, or edited
            shutil.rmtree(path, ignore_errors=True)
    splits = make()
    try:
        with wrap_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with new_folder(path) as made:
                for split, speech in splits.items():
                    write_speech(speech, made / split)
            mark_folder(folder)
    except FileError as error:
        if not path.is_dir():  # otherwise another process was faster
            Reporter(verbosity=-1).warning(f"generated speech could not be cached. {error}")
            return splits
    return {split: _read(path / split) for split in splits}  # memory-mapped from now on


def _read(folder: Path) -> Speech:
    return read_speech(CheckedFiles.of_folder(folder))

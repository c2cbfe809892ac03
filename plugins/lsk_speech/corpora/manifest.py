"""Recordings of one's own, listed in a manifest.

A file of UTF-8 lines with tabs between columns. The first line names the columns: `file` (WAV or
FLAC, in the manifest's folder or below), `text`, and optionally `speaker` and `split`.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ls_base.errors import short_repr
from ls_base.safe_open import is_regular, read_bytes, safe_join
from lsk_engine import InputError
from lsk_engine.data.lazy import LazySplits
from lsk_speech.config import DataConfig
from lsk_speech.corpora.recordings import Recordings
from lsk_speech.source_data import Speech, SpeechSource
from lsk_speech.splits import checked_texts, split_rows

_NEEDED = ("file", "text")


def read_manifest(manifest: Path, options: DataConfig, *, new: bool = False) -> SpeechSource:
    """Reads a manifest; recordings, when a split is asked for.

    Of a split that memory holds, all are decoded then; of a larger one, the lengths are read from
    their headers, and each is decoded when a batch has it.

    Args:
        manifest: See above.
        options: The sample rate, and the seed of what is held out where no split is named.
        new: Whether nothing is held out.

    Raises:
        InputError: If a row can't be used; it is named as `row N of MANIFEST`, the line that names
            the columns being row 1. Of recordings, once their split is asked for.
    """
    listed, rows = read_rows(manifest)
    texts = checked_texts([row["text"] for row in listed], rows)
    speakers = [row.get("speaker", "") for row in listed]
    # Before recordings are read: what is wrong with the manifest is told at once.
    splits, notes = split_rows(
        [row.get("split", "") for row in listed], rows, speakers, options.split_seed, new=new
    )

    def opened(members: np.ndarray) -> Speech:
        files = [_recording(manifest.parent, listed[i]["file"], rows[i]) for i in members]
        names = [f"{file} ({rows[i]})" for file, i in zip(files, members, strict=True)]
        recordings = Recordings(files, names, options.sample_rate).kept()
        return Speech(recordings, [texts[i] for i in members], [speakers[i] for i in members])

    loaders = {name: functools.partial(opened, members) for name, members in splits.items()}
    return SpeechSource(LazySplits(loaders), options.sample_rate, tuple(notes))


def _recording(folder: Path, name: str, row: str) -> Path:
    try:
        file = safe_join(folder, name, error=InputError)
    except InputError as error:
        raise InputError(f"{error} in {row}") from error
    if not is_regular(file):
        what = "not a file" if file.exists() else "no such file"
        raise InputError(f"Expected a recording. Received: {file} ({row}): {what}")
    return file


def read_rows(manifest: Path) -> tuple[Sequence[Mapping[str, str]], Sequence[str]]:
    """Returns the rows of a manifest by column, and what each is called in an error."""
    lines = read_bytes(manifest, error=InputError).removeprefix(b"\xef\xbb\xbf").splitlines()
    listed, rows = [], []
    columns: list[str] = []
    for number, line in enumerate(lines, 1):
        row = f"row {number} of {manifest}"
        try:
            cells = [cell.strip() for cell in line.decode("utf-8").split("\t")]
        except UnicodeDecodeError as error:
            raise InputError(f"Expected UTF-8 text. Received: {error.reason} in {row}") from error
        if not columns:
            columns = cells
            missing = [name for name in _NEEDED if name not in columns]
            if missing or len(set(columns)) < len(columns):
                raise InputError(
                    "Expected the columns file, text and optionally speaker and split, named in "
                    f"the first line, with tabs between. "
                    f"Received: {short_repr(', '.join(columns))} in {row}"
                )
        elif any(cells):
            if len(cells) != len(columns):
                raise InputError(
                    f"Expected {len(columns)} columns. Received: {len(cells)} in {row}"
                )
            listed.append(dict(zip(columns, cells, strict=True)))
            rows.append(row)
    if not listed:
        raise InputError(f"Expected recordings in a manifest. Received: {manifest}, with none")
    return listed, rows

"""A split of utterances on disk, read through a memory map.

```
DIR/rows.npy        all utterances' samples (or feature frames), one after another
DIR/offsets.npy     where each begins, and the end of the last
DIR/utterances.tsv  speaker, tab, transcript: a line an utterance
```
"""

import os
from pathlib import Path

import numpy as np

from ls_base.errors import InputError
from lsk_speech.ragged import Ragged, offsets
from lsk_speech.sources import Speech

_ROWS, _OFFSETS, _UTTERANCES = "rows.npy", "offsets.npy", "utterances.tsv"


def write_speech(speech: Speech, folder: Path) -> None:
    """Writes a split into the new folder `folder`, and flushes it to the disk."""
    folder.mkdir()
    rows = speech.rows
    ends = offsets(rows.lengths)
    shape = (int(ends[-1]), *rows.values.shape[1:])
    with (folder / _ROWS).open("wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(rows.values.dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_2_0(file, header)
        for i in range(len(rows)):  # a memory map would end a full disk with a bus error
            file.write(np.ascontiguousarray(rows[i]).data)
        _flush(file)
    with (folder / _OFFSETS).open("wb") as file:
        np.save(file, ends)
        _flush(file)
    lines = zip(speech.speakers, speech.texts, strict=True)
    with (folder / _UTTERANCES).open("wb") as file:
        file.write("".join(f"{speaker}\t{text}\n" for speaker, text in lines).encode())
        _flush(file)


def read_speech(folder: Path) -> Speech:
    """Opens what `write_speech` wrote.

    Raises:
        InputError: If it is not whole.
    """
    try:
        rows = np.load(folder / _ROWS, mmap_mode="r")
        ends = np.load(folder / _OFFSETS)
        lines = (folder / _UTTERANCES).read_text(encoding="utf-8").splitlines()
        speakers, texts = zip(*(line.split("\t") for line in lines), strict=True)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            f"Expected a split of utterances in {folder}. Received: {error}"
        ) from error
    if len(ends) != len(texts) + 1 or ends[-1] != len(rows):
        raise InputError(
            f"Expected a whole split of utterances in {folder}. Received: {len(texts)} "
            f"transcripts, {len(ends) - 1} utterances of {ends[-1]} rows in all, {len(rows)} rows"
        )
    return Speech(Ragged(rows, ends), texts, speakers)


def _flush(file) -> None:
    file.flush()
    os.fsync(file.fileno())

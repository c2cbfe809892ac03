"""A split of utterances on disk, read through a memory map.

```
DIR/rows.npy        all utterances' samples (or feature frames), one after another
DIR/offsets.npy     where each begins, and the end of the last
DIR/utterances.tsv  speaker, tab, transcript: a line an utterance
```
"""

from pathlib import Path

import numpy as np

from ls_base.files import write_bytes
from ls_base.npz import ArraySpec
from ls_base.safe_open import read_bytes
from lsk_engine import InputError
from lsk_engine.data.prepared.checksummed_files import CheckedFiles
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
        files: The split's.

    Raises:
        InputError: If it is not whole.
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

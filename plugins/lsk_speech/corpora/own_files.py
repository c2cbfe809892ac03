"""A user's own speech: recordings listed in a manifest, or features in an `.npz` file."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ls_base.errors import short_repr
from ls_base.npz import ArraySpec, read_npz
from ls_base.safe_open import is_regular, read_bytes, safe_join
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged, check_offsets
from lsk_engine.data.lazy import LazySplits
from lsk_speech.config import DataConfig
from lsk_speech.corpora.recordings import Recordings
from lsk_speech.source_data import Speech, SpeechSource, checked_texts, split_rows

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


_ARRAYS = {
    "feats": ArraySpec("f", (None, None)),
    "offsets": ArraySpec("iu", (None,)),
    "text": ArraySpec("U", (None,)),
    "split": ArraySpec("U", (None,)),
    "speaker": ArraySpec("U", (None,)),
    "ids": ArraySpec("iuU", (None,)),
}


def read_features(file: Path, options: DataConfig, *, new: bool = False) -> SpeechSource:
    """Reads features; where there is no validation split, training speakers are held out.

    Args:
        file: See above.
        options: The seed of the draw.
        new: Whether nothing is held out.

    Raises:
        InputError: If the file lacks something, or its parts don't fit; the row is named.
    """
    arrays = _load(file)
    feats, ends = arrays["feats"], arrays["offsets"]
    names = arrays.get("ids", np.arange(len(arrays["text"])))
    rows = [f"utterance {name} (row {i}) of {file}" for i, name in enumerate(names)]
    ends = ends.astype(np.int64)
    of_rows = {len(array) for key, array in arrays.items() if key not in ("feats", "offsets")}
    if of_rows != {len(ends) - 1} or not feats.size or ends[-1] != len(feats):
        raise InputError(
            "Expected float feats (frames, features), offsets (n + 1,) from 0 to the frames, and "
            f"n of text and split. Received: {file} with "
            f"{', '.join(f'{key} {value.dtype} {value.shape}' for key, value in arrays.items())}"
        )
    check_offsets(ends, len(feats), f"offsets of {file}")
    for what, wrong in (
        ("with at least one frame", np.diff(ends) <= 0),
        ("of finite numbers", ~_finite(feats, ends)),
    ):
        if wrong.any():
            raise InputError(
                f"Expected features {what}. Received: {rows[int(wrong.argmax())]}, without"
            )
    texts = checked_texts([str(text) for text in arrays["text"]], rows)
    speakers = [str(s) for s in arrays.get("speaker", np.full(len(rows), ""))]
    speech = Speech(Ragged(feats, ends.astype(np.int64)), texts, speakers)
    splits, notes = split_rows(
        [str(s) for s in arrays["split"]], rows, speakers, options.split_seed, new=new
    )
    return SpeechSource({name: speech.take(r) for name, r in splits.items()}, None, tuple(notes))


def _finite(feats: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns which utterances have finite features only."""
    wrong = np.concatenate([[0], np.cumsum(~np.isfinite(feats).all(axis=1))])
    return wrong[ends[1:]] == wrong[ends[:-1]]


def _load(file: Path) -> dict[str, np.ndarray]:
    return read_npz(file, _ARRAYS, optional=("speaker", "ids"), error=InputError)

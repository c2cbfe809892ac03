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
    """Reads a manifest of recordings.

    The manifest has UTF-8 lines with tabs between columns. The first line names the columns: `file`
    (WAV or FLAC, in the manifest's folder or below), `text`, and optionally `speaker` and `split`.
    Recordings are read when their split is first used: all of them if memory holds them, otherwise
    their headers only, and each is decoded when a batch needs it.

    Args:
        manifest: The file.
        options: The sample rate, and the seed of held-out utterances if no split is named.
        new: Whether nothing is held out.

    Raises:
        InputError: If a row cannot be used; it names `row N of MANIFEST`, where row 1 is the line
            with the columns. Errors of recordings are raised when their split is used.
    """
    listed, rows = read_rows(manifest)
    texts = checked_texts([row["text"] for row in listed], rows)
    speakers = [row.get("speaker", "") for row in listed]
    # Before recordings are read, so that errors in the manifest come first.
    splits, notes = split_rows(
        [row.get("split", "") for row in listed], rows, speakers, options.split_seed, new=new
    )

    def opened(members: np.ndarray) -> Speech:
        files = [_recording(manifest.parent, listed[i]["file"], rows[i]) for i in members]
        names = [f"{file} ({rows[i]})" for file, i in zip(files, members, strict=True)]
        recordings = Recordings(files, names, options.sample_rate).in_memory()
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
    """Returns the rows of a manifest by column, and the name of each in an error."""
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
    """Reads precomputed features; without a validation split, training speakers are held out.

    The file has `feats` `(frames, features)` at 100 frames per second, `offsets` `(n + 1,)`
    (utterance i is `feats[offsets[i] : offsets[i + 1]]`), `text` and `split` `(n,)` and, if known,
    `speaker` and `ids`.

    Args:
        file: The `.npz` file.
        options: The seed of held-out speakers.
        new: Whether nothing is held out.

    Raises:
        InputError: If arrays are missing or do not fit together; it names the row.
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
    """Returns which utterances have only finite features."""
    wrong = np.concatenate([[0], np.cumsum(~np.isfinite(feats).all(axis=1))])
    return wrong[ends[1:]] == wrong[ends[:-1]]


def _load(file: Path) -> dict[str, np.ndarray]:
    return read_npz(file, _ARRAYS, optional=("speaker", "ids"), error=InputError)

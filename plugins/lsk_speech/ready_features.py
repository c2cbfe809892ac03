"""Ready features in an `.npz` file, such as the cepstra of AN4.

The file has `feats` `(frames, features)` at 100 frames a second, `offsets` `(n + 1,)` (utterance i
is `feats[offsets[i] : offsets[i + 1]]`), `text` and `split` `(n,)` and, if known, `speaker` and
`ids`.
"""

import zipfile
from pathlib import Path

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.ragged import Ragged
from lsk_speech.config import DataConfig
from lsk_speech.source_data import Speech, SpeechSource
from lsk_speech.splits import checked_texts, split_rows

_NEEDED = ("feats", "offsets", "text", "split")


def read_features(file: Path, options: DataConfig) -> SpeechSource:
    """Reads features; where there is no validation split, training speakers are held out.

    Args:
        file: See above.
        options: The seed of the draw.

    Raises:
        InputError: If the file lacks something, or its parts don't fit; the row is named.
    """
    arrays = _load(file)
    feats, ends = arrays["feats"], arrays["offsets"]
    names = arrays.get("ids", np.arange(len(arrays["text"])))
    rows = [f"utterance {name} (row {i}) of {file}" for i, name in enumerate(names)]
    if not (
        feats.ndim == 2
        and np.issubdtype(feats.dtype, np.floating)
        and ends.ndim == 1
        and np.issubdtype(ends.dtype, np.integer)
        and len(ends) == len(rows) + 1 == len(arrays["split"]) + 1
        and ends[0] == 0
        and ends[-1] == len(feats)
    ):
        raise InputError(
            "Expected float feats (frames, features), offsets (n + 1,) from 0 to the frames, and "
            f"n of text and split. Received: {file} with "
            f"{', '.join(f'{key} {value.dtype} {value.shape}' for key, value in arrays.items())}"
        )
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
        [str(s) for s in arrays["split"]], rows, speakers, options.split_seed
    )
    return SpeechSource({name: speech.take(r) for name, r in splits.items()}, None, tuple(notes))


def _finite(feats: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns which utterances have finite features only."""
    wrong = np.concatenate([[0], np.cumsum(~np.isfinite(feats).all(axis=1))])
    return wrong[ends[1:]] == wrong[ends[:-1]]


def _load(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"Expected an .npz file of features. Received: {file}: {error}") from error
    missing = [key for key in _NEEDED if key not in arrays]
    if missing:
        raise InputError(
            f"Expected {', '.join(_NEEDED)} in {file}. Received: {', '.join(arrays) or 'nothing'}"
        )
    return arrays

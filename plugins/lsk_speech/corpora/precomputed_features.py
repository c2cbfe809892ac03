"""Ready features in an `.npz` file, such as the cepstra of AN4.

The file has `feats` `(frames, features)` at 100 frames a second, `offsets` `(n + 1,)` (utterance i
is `feats[offsets[i] : offsets[i + 1]]`), `text` and `split` `(n,)` and, if known, `speaker` and
`ids`.
"""

from pathlib import Path

import numpy as np

from ls_base.npz import ArraySpec, read_npz
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged, check_offsets
from lsk_speech.config import DataConfig
from lsk_speech.source_data import Speech, SpeechSource
from lsk_speech.splits import checked_texts, split_rows

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

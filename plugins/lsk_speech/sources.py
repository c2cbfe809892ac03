"""Utterances by name: `spoken-words`, a manifest, digits, ready features, a TFDS data set."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ls_base.errors import InputError
from lsk_speech.config import DataConfig
from lsk_speech.ragged import Ragged


@dataclasses.dataclass(frozen=True)
class Speech:
    """One split.

    Attributes:
        rows: int16 samples `(samples,)` of each utterance, or its feature frames
            `(frames, features)`.
        texts: Normalized transcripts, each with a word at least.
        speakers: Who speaks; one name for all where that isn't known.
    """

    rows: Ragged
    texts: Sequence[str]
    speakers: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Speech":
        """Returns the utterances `rows` as a split of their own."""
        return Speech(
            self.rows.take(rows), [self.texts[i] for i in rows], [self.speakers[i] for i in rows]
        )


@dataclasses.dataclass(frozen=True)
class SpeechSource:
    """Utterances in splits.

    Attributes:
        splits: `train`, `validation`, `test` and, where there are, further test sets.
        sample_rate: Samples a second; `None`: the rows are feature frames, 10 ms apart.
        notes: What a report should say about the data.
    """

    splits: Mapping[str, Speech]
    sample_rate: int | None
    notes: tuple[str, ...] = ()


def load_source(options: DataConfig, *, data_dir: str | Path | None = None) -> SpeechSource:
    """Loads utterances.

    Args:
        options: Which, and how they are drawn or made.
        data_dir: Where TFDS data lie prepared; default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
        InputError: If there are no such data, or they are damaged; the file and row are named.
    """
    if options.source == "spoken-words":
        from lsk_speech.spoken_words import load_spoken_words

        return load_spoken_words(options)
    if not options.source.startswith("tfds:") and _is_path(options.source):
        return _read_path(Path(options.source).expanduser(), options)
    from lsk_speech.tfds_speech import read_tfds

    return read_tfds(options.source.removeprefix("tfds:"), options, data_dir=data_dir)


def _is_path(name: str) -> bool:
    path = Path(name).expanduser()
    return path.exists() or path.is_absolute() or name.startswith((".", "~"))


def _read_path(path: Path, options: DataConfig) -> SpeechSource:
    from lsk_speech.digit_strings import holds_digits, read_digit_strings

    if path.suffix == ".npz" and path.is_file():
        from lsk_speech.ready_features import read_features

        return read_features(path, options)
    if path.is_dir() and holds_digits(path):
        return read_digit_strings(path, options)
    manifest = path / "manifest.tsv" if path.is_dir() else path
    if not manifest.is_file():
        what = "a folder with none of them" if path.is_dir() else "no such file"
        raise InputError(
            "Expected a manifest (.tsv), a folder with manifest.tsv or recordings of digits, or "
            f"an .npz file of features. Received: {path}, {what}"
        )
    from lsk_speech.manifest import read_manifest

    return read_manifest(manifest, options)

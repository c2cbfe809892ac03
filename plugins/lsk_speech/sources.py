"""Utterances by name: `spoken-words`, a manifest, digits, ready features, a TFDS data set."""

from pathlib import Path

from lsk_engine import InputError
from lsk_engine.settings.source_spec import path_or_name
from lsk_speech.config import DataConfig
from lsk_speech.corpora.digit_strings import holds_digits, read_digit_strings
from lsk_speech.corpora.manifest import read_manifest
from lsk_speech.corpora.precomputed_features import read_features
from lsk_speech.corpora.spoken_words import load_spoken_words
from lsk_speech.corpora.tfds_speech import read_tfds
from lsk_speech.source_data import SpeechSource


def load_source(
    options: DataConfig, *, data_dir: str | Path | None = None, new: bool = False
) -> SpeechSource:
    """Loads utterances.

    Args:
        options: Which, and how they are drawn or made.
        data_dir: Where TFDS data lie prepared; default `TFDS_DATA_DIR`, then TFDS's own.
        new: Whether the data are others than a run's: nothing is held out of them then.

    Raises:
        InputError: If there are no such data, or they are damaged; the file and row are named.
    """
    found = path_or_name(options.source)
    digits = isinstance(found, Path) and found.is_dir() and holds_digits(found)
    if options.held_out_speaker is not None and not digits and not new:
        raise InputError(
            "Expected data.held_out_speaker with a folder of digits; who is held out of other "
            "recordings says the column split of their manifest. "
            f"Received: {options.held_out_speaker!r} with {options.source}"
        )
    if options.source == "spoken-words":
        return load_spoken_words(options)
    if isinstance(found, Path):
        return read_digit_strings(found, options) if digits else _read_path(found, options, new)
    return read_tfds(found, options, data_dir=data_dir)


def _read_path(path: Path, options: DataConfig, new: bool) -> SpeechSource:
    if path.suffix == ".npz" and path.is_file():
        return read_features(path, options, new=new)
    manifest = path / "manifest.tsv" if path.is_dir() else path
    if not manifest.is_file():
        what = "a folder with none of them" if path.is_dir() else "no such file"
        raise InputError(
            "Expected a manifest (.tsv), a folder with manifest.tsv or recordings of digits, or "
            f"an .npz file of features. Received: {path}, {what}"
        )
    return read_manifest(manifest, options, new=new)

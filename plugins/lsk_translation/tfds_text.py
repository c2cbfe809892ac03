"""Parallel text from TensorFlow Datasets that are prepared on this machine."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lsk_engine import InputError
from lsk_engine.data.formats.text_lines import spool_lines
from lsk_engine.data.formats.tfds import find_split, missing_split, open_builder, read_split
from lsk_engine.data.lazy import LazyNotes, LazySplits
from lsk_engine.data.split_names import SPLIT_NAMES
from lsk_translation.source_data import ParallelText


def read_tfds(
    name: str,
    source_language: str,
    target_language: str,
    *,
    data_dir: str | Path | None = None,
) -> tuple[LazySplits[ParallelText], Sequence[str]]:
    """Finds the splits of a prepared TFDS data set; nothing is ever downloaded.

    array_record files are read without TensorFlow, TFRecord files through `tf.data`. Text is held
    in memory, or where there is much, in temporary files.

    Args:
        name: Such as `wmt14_translate/de-en`, or with a version, `wmt14_translate/de-en:1.0.0`.
        source_language: A language of the data set's `Translation` feature, or a text feature.
        target_language: Likewise.
        data_dir: Where the data lie; default `TFDS_DATA_DIR` as it is set now, then TFDS's own.

    Returns:
        The splits, each read when it is asked for, and the notes.

    Raises:
        InputError: If the data set is unknown, not prepared, or has no such texts or splits.
    """
    builder = open_builder(
        name,
        extra="translation",
        expected="cldr, the path of a folder, or the name of a TFDS data set",
        data_dir=data_dir,
    )
    path, names = _text_features(builder, source_language, target_language)

    def read(split: str, found: str) -> ParallelText:
        pairs = (
            (source, target)
            for source, target in _pairs(builder, found, path, names)
            if split != "train" or (source and target)
        )
        sources, targets = spool_lines(pairs, 2)
        if not len(sources):
            raise InputError(f"Expected examples in the {found} split of {name!r}. Received: none")
        return ParallelText(sources, targets)

    loaders = {}
    for split, candidates in SPLIT_NAMES.items():
        found = find_split(builder, candidates)
        if found is None:
            raise missing_split(builder, name, split)
        loaders[split] = functools.partial(read, split, found)
    splits = LazySplits(loaders)
    return splits, LazyNotes(lambda: _notes(builder, splits))


def _notes(builder, splits: Mapping[str, ParallelText]) -> Iterator[str]:
    yield f"TFDS {builder.info.full_name}"
    dropped = builder.info.splits["train"].num_examples - len(splits["train"])
    if dropped:
        yield f"train: {dropped} pairs with an empty side dropped"


def _text_features(builder, source: str, target: str) -> tuple[str | None, tuple[str, str]]:
    """Returns the key of the feature that holds the texts (`None`: the example) and their keys."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    candidates = [(None, features), *((key, features[key]) for key in features)]
    texts: list[str] = []
    for path, feature in candidates:
        if not isinstance(feature, tfds.features.FeaturesDict):
            continue
        keys = [key for key in feature if isinstance(feature[key], tfds.features.Text)]
        texts += keys
        if source in keys and target in keys:
            return path, (source, target)
    raise InputError(
        f"Expected text features {source!r} and {target!r} in the TFDS data set {builder.name!r}. "
        f"Received: {', '.join(map(repr, texts)) or 'no text features'}"
    )


def _pairs(builder, split: str, path: str | None, names: tuple[str, str]) -> Iterator:
    for example in read_split(builder, split):
        texts = example if path is None else example[path]
        yield tuple(_text(texts[name]) for name in names)


def _text(value) -> str:
    text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
    return " ".join(text.split("\n")).strip()

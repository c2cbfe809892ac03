"""Parallel text in splits, from a folder of files or from TensorFlow Datasets."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.text_files import list_folder, open_lines, spool_lines, take_lines
from lsk_engine.data.formats.tfds import find_split, missing_split, open_builder, read_split
from lsk_engine.data.lazy import LazyNotes, LazySplits
from lsk_engine.data.splits import SPLIT_NAMES


@dataclass(frozen=True)
class ParallelText:
    """One split: line `i` of `target` translates line `i` of `source`.

    Attributes:
        source: The sentences.
        target: Their translations.
        right: All correct translations of each, `target` among them; empty if unknown.
    """

    source: Sequence[str]
    target: Sequence[str]
    right: Sequence[tuple[str, ...]] = ()

    def __post_init__(self):
        if len(self.source) != len(self.target):
            raise InputError(
                "Expected as many target as source lines. "
                f"Received: {len(self.source)} source and {len(self.target)} target lines"
            )

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class Corpus:
    """Parallel text in splits.

    Attributes:
        name: The name that the user gave.
        source_language: Language code.
        target_language: Language code.
        splits: "train", "validation" and "test"; further test sets under their own names. Each is
            read when it is first used.
        notes: Remarks about the data for the run's output and report.
    """

    name: str
    source_language: str
    target_language: str
    splits: Mapping[str, ParallelText]
    notes: Sequence[str] = ()


def read_folder(
    folder: Path, source_language: str, target_language: str, *, new: bool = False
) -> tuple[LazySplits[ParallelText], Sequence[str]]:
    """Finds the splits of a folder: `train.en`, `train.de`, `validation.*` and `test*.*`.

    Files are plain or `.gz`, UTF-8, one sentence per line. Training pairs with an empty side are
    dropped and counted in a note; other splits keep all lines. The first test set in sorted order
    (`test.*`, if it exists) is the split "test"; the others keep their own names.

    Args:
        folder: The folder.
        source_language: Suffix of the source files, such as `en`.
        target_language: Suffix of the target files.
        new: Whether a single split suffices, as for new data of a finished run.

    Returns:
        The splits, read when they are first used, and the notes.

    Raises:
        InputError: If a split or a language is missing; when a split is read, if a file is empty,
            not UTF-8, has other numbers of lines than its counterpart, or a line of more than
            65,536 bytes.
    """
    if not folder.is_dir():
        raise InputError(f"Expected a folder with parallel text. Received: {folder}")
    names = {
        stem
        for language in (source_language, target_language)
        for suffix in (f".{language}", f".{language}.gz")
        for path in folder.glob(f"*{suffix}")
        if (stem := path.name.removesuffix(suffix))
    }
    tests = sorted(name for name in names if name.startswith("test"))
    notes: list[str] = []
    found: dict[str, str | None] = {"train": None, "validation": None}
    found["test"] = tests[0] if tests else None
    for split, words in SPLIT_NAMES.items():
        there = [word for word in words if word in names]
        if split != "test" and there:
            found[split] = there[0]
            notes += [f"not read: {name}.*, because {there[0]}.* exists" for name in there[1:]]
    patterns = {"train": "train", "validation": "validation (or val)", "test": "test*"}
    if new and any(found.values()):
        found = {split: name for split, name in found.items() if name is not None}
    for split, name in found.items():
        if name is None:
            raise InputError(
                f"Expected {patterns[split]}.{source_language} and .{target_language}, plain or "
                f".gz, in {folder}. Received: {list_folder(folder)}"
            )
    if found.get("test", "test") != "test":
        notes.append(f"test: {found['test']}")
    dropped: list[int] = []

    def read(split: str, files: list[Path]) -> ParallelText:
        source, target = (_read_lines(file) for file in files)
        if len(source) != len(target):
            raise InputError(
                f"Expected {' and '.join(file.name for file in files)} in {folder} to "
                f"have equally many lines. Received: {len(source)} and {len(target)}"
            )
        if split != "train":
            return ParallelText(source, target)
        kept = np.flatnonzero([bool(s and t) for s, t in zip(source, target, strict=True)])
        if not len(kept):
            raise InputError(f"Expected training pairs in {folder}. Received: empty lines only")
        dropped.append(len(source) - len(kept))
        return ParallelText(take_lines(source, kept), take_lines(target, kept))

    def all_notes() -> Iterator[str]:
        yield from notes
        if not new or len(splits) == 1:  # otherwise the training text is not needed
            splits.get("train")
        if any(dropped):
            yield f"train: {dropped[0]} pairs with an empty side dropped"

    loaders = {}
    for split, name in (found | {name: name for name in tests[1:]}).items():
        languages = (source_language, target_language)
        files = [_find(folder, str(name), language) for language in languages]
        loaders[split] = functools.partial(read, split, files)
    splits = LazySplits(loaders)
    return splits, LazyNotes(all_notes)


def _find(folder: Path, name: str, language: str) -> Path:
    plain, packed = folder / f"{name}.{language}", folder / f"{name}.{language}.gz"
    if plain.exists() and packed.exists():
        raise InputError(
            f"Expected one of {plain.name} and {packed.name} in {folder}. Received: both"
        )
    for path in (plain, packed):
        if path.exists():
            return path
    raise InputError(f"Expected {plain.name} or {packed.name} in {folder}. Received: neither")


def _read_lines(path: Path) -> Sequence[str]:
    lines = open_lines(path)
    if not lines:
        raise InputError(f"Expected lines of text in {path}. Received: an empty file")
    return tuple(lines) if isinstance(lines, list) else lines


def read_tfds(
    name: str,
    source_language: str,
    target_language: str,
    *,
    data_dir: str | Path | None = None,
) -> tuple[LazySplits[ParallelText], Sequence[str]]:
    """Finds the splits of a prepared TFDS data set; nothing is downloaded.

    array_record files are read without TensorFlow, TFRecord files through `tf.data`. Text is kept
    in memory, or in temporary files if it is large.

    Args:
        name: Such as `wmt14_translate/de-en`, or with a version, `wmt14_translate/de-en:1.0.0`.
        source_language: A language of the data set's `Translation` feature, or a text feature.
        target_language: The other language or text feature.
        data_dir: Folder of the data sets; default `TFDS_DATA_DIR`, then TFDS's own.

    Returns:
        The splits, read when they are first used, and the notes.

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
    """Returns the key of the feature with the texts (`None`: the example), and their keys."""
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

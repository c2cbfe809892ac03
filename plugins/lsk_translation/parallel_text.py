"""Own parallel text: a folder with `train.en`, `train.de`, `validation.*`, `test*.*`."""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.text_files import list_folder
from lsk_engine.data.formats.text_lines import open_lines, take_lines
from lsk_engine.data.lazy import LazyNotes, LazySplits
from lsk_engine.data.split_names import SPLIT_NAMES
from lsk_translation.source_data import ParallelText


def read_folder(
    folder: Path, source_language: str, target_language: str, *, new: bool = False
) -> tuple[LazySplits[ParallelText], Sequence[str]]:
    """Finds the splits of a folder, plain or `.gz`, UTF-8, one sentence a line.

    Training pairs with an empty side are dropped and counted in a note; elsewhere lines stay as
    they are, so that line numbers hold. The first test set in sorted order (`test.*`, where it
    exists) is the split "test"; the others are splits under their own names.

    Args:
        folder: The folder.
        source_language: Suffix of the source files, such as `en`.
        target_language: Suffix of the target files.
        new: Whether the splits that there are will do, one at least.

    Returns:
        The splits, each read when it is asked for, and the notes.

    Raises:
        InputError: If a split or a language is missing; of a split that is read, if a file is
            empty, not UTF-8, not as long as its counterpart, or has a line of more than 65,536
            bytes.
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
            notes += [f"not read: {name}.*, beside {there[0]}.*" for name in there[1:]]
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
        if not new or len(splits) == 1:  # else nobody needs the training text
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

"""Parallel text by name: the generated `cldr`, a folder of one's own, or a TFDS data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ls_base.errors import InputError


@dataclass(frozen=True)
class ParallelText:
    """One split: line `i` of `target` translates line `i` of `source`."""

    source: tuple[str, ...]
    target: tuple[str, ...]

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
        name: As the user called it.
        source_language: Language code.
        target_language: Language code.
        splits: "train", "validation" and "test"; further test sets under their own names.
        notes: What a report should say about the data.
    """

    name: str
    source_language: str
    target_language: str
    splits: Mapping[str, ParallelText]
    notes: tuple[str, ...] = ()


def load_corpus(
    data: str,
    *,
    pairs: int | None = None,
    seed: int = 0,
    source_language: str = "en",
    target_language: str = "de",
    data_dir: str | Path | None = None,
) -> Corpus:
    """Loads parallel text.

    Args:
        data: "cldr", the path of a folder (with a separator, or existing), or "tfds:NAME/CONFIG";
            any other name is looked for in TFDS too.
        pairs: Number of training pairs. `None`: 40,000 of cldr, all of other data. Of other data,
            as many are drawn at random by the seed; their order stays.
        seed: Of the generated text or the draw.
        source_language: Language code; of a folder, the suffix of its files.
        target_language: Likewise.
        data_dir: Where TFDS data lie prepared; default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
        InputError: If there are no such data, or if they are not parallel.
    """
    if source_language == target_language:
        raise InputError(
            "Expected two different languages. "
            f"Received: source_language={source_language!r}, target_language={target_language!r}"
        )
    if pairs is not None and pairs < 1:
        raise InputError(f"Expected at least 1 training pair. Received: pairs={pairs}")
    if data == "cldr":
        return _cldr(pairs, seed, source_language, target_language)
    if not data.startswith("tfds:") and _is_path(data):
        from lsk_translation.parallel_text import read_folder

        splits, notes = read_folder(Path(data).expanduser(), source_language, target_language)
    else:
        from lsk_translation.tfds_text import read_tfds

        name = data.removeprefix("tfds:")
        splits, notes = read_tfds(name, source_language, target_language, data_dir=data_dir)
    if pairs is not None:
        splits["train"], notes = _draw(splits["train"], pairs, seed, notes)
    return Corpus(data, source_language, target_language, splits, tuple(notes))


def _is_path(data: str) -> bool:
    path = Path(data).expanduser()
    return path.exists() or path.is_absolute() or data.startswith((".", "~"))


def _cldr(pairs: int | None, seed: int, source: str, target: str) -> Corpus:
    if {source, target} != {"en", "de"}:
        raise InputError(
            f"Expected the languages en and de for cldr. Received: {source!r} and {target!r}"
        )
    from lsk_translation.cldr import DEFAULT_PAIRS, cldr_splits

    english_first = source == "en"
    splits = {}
    for name, rows in cldr_splits(DEFAULT_PAIRS if pairs is None else pairs, seed).items():
        english, german = (tuple(side) for side in zip(*rows, strict=True))
        sides = (english, german) if english_first else (german, english)
        splits[name] = ParallelText(*sides)
    note = "synthetic: phrases and sentences made from Unicode CLDR (Babel) and num2words"
    return Corpus("cldr", source, target, splits, (note,))


def _draw(
    train: ParallelText, pairs: int, seed: int, notes: list[str]
) -> tuple[ParallelText, list[str]]:
    if pairs > len(train):
        raise InputError(f"Expected at most {len(train)} training pairs. Received: pairs={pairs}")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(train))[:pairs])
    text = ParallelText(
        tuple(train.source[i] for i in chosen), tuple(train.target[i] for i in chosen)
    )
    return text, [*notes, f"train: {pairs} of {len(train)} pairs, drawn with seed {seed}"]

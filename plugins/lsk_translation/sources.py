"""Parallel text by name: the generated `cldr`, a folder of one's own, or a TFDS data set."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.text_lines import take_lines
from lsk_engine.data.lazy import LazyNotes, map_splits
from lsk_engine.settings.source_spec import path_or_name
from lsk_translation.parallel_text import read_folder
from lsk_translation.source_data import Corpus, ParallelText
from lsk_translation.tfds_text import read_tfds


def load_source(
    data: str,
    *,
    max_train_examples: int | None = None,
    seed: int = 0,
    phrase_fraction: float = 0.0,
    source_language: str = "en",
    target_language: str = "de",
    data_dir: str | Path | None = None,
    new: bool = False,
) -> Corpus:
    """Loads parallel text.

    Args:
        data: "cldr", or a path or name as `lsk_engine.settings.source_spec.path_or_name` has it.
        max_train_examples: Number of training pairs: generated for cldr, drawn at random (in
            their order) from other data. `None`: 40,000 of cldr, 60,000 with phrases, all of
            other data.
        seed: Of the generated text or the draw.
        phrase_fraction: Share of single phrases among the generated pairs.
        source_language: Language code; of a folder, the suffix of its files.
        target_language: Likewise.
        data_dir: Where TFDS data lie prepared; default `TFDS_DATA_DIR`, then TFDS's own.
        new: Whether the data are others than a run's, whose splits will do as they are.

    Raises:
        InputError: If there are no such data, or if they are not parallel.
    """
    if source_language == target_language:
        raise InputError(
            "Expected two different languages. "
            f"Received: source_language={source_language!r}, target_language={target_language!r}"
        )
    if data == "cldr":
        return _cldr(max_train_examples, seed, phrase_fraction, source_language, target_language)
    found = path_or_name(data)
    if isinstance(found, Path):
        splits, notes = read_folder(found, source_language, target_language, new=new)
    else:
        splits, notes = read_tfds(found, source_language, target_language, data_dir=data_dir)
    if max_train_examples is None:
        return Corpus(data, source_language, target_language, splits, notes)

    def drawn(name: str, text: ParallelText) -> ParallelText:
        return _draw(text, max_train_examples, seed) if name == "train" else text

    def all_notes() -> Iterator[str]:
        yield from notes
        total = len(splits["train"])
        yield f"train: {max_train_examples} of {total} pairs, drawn with seed {seed}"

    return Corpus(
        data,
        source_language,
        target_language,
        map_splits(splits, drawn),
        LazyNotes(all_notes),
    )


def _cldr(pairs: int | None, seed: int, phrase_fraction: float, source: str, target: str) -> Corpus:
    if {source, target} != {"en", "de"}:
        raise InputError(
            f"Expected the languages en and de for cldr. Received: {source!r} and {target!r}"
        )
    from lsk_translation.cldr.corpus import DEFAULT_PAIRS, DEFAULT_PHRASE_PAIRS, cldr_splits
    from lsk_translation.cldr.phrases import held_out_phrases

    english_first = source == "en"
    splits = {}
    if pairs is None:
        pairs = DEFAULT_PHRASE_PAIRS if phrase_fraction else DEFAULT_PAIRS
    for name, rows in cldr_splits(pairs, seed, phrase_fraction).items():
        english, german = (tuple(side) for side in zip(*rows, strict=True))
        sides = (english, german) if english_first else (german, english)
        splits[name] = ParallelText(*sides)
    if phrase_fraction and english_first:  # only their German is known in all forms
        asked = held_out_phrases()
        first = tuple(phrase.german[0] for phrase in asked)
        english = tuple(phrase.english for phrase in asked)
        splits["phrases"] = ParallelText(english, first, tuple(p.german for p in asked))
    note = "synthetic: phrases and sentences made from Unicode CLDR (Babel) and num2words"
    return Corpus("cldr", source, target, splits, (note,))


def _draw(train: ParallelText, pairs: int, seed: int) -> ParallelText:
    if pairs > len(train):
        raise InputError(
            f"Expected data.max_train_examples of at most {len(train)}. Received: {pairs}"
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(train))[:pairs])
    return ParallelText(take_lines(train.source, chosen), take_lines(train.target, chosen))

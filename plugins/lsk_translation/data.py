"""Loads parallel text and encodes it as sub-word ids."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lsk_engine import Config, Examples, InputError, TaskData
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.data.formats.text_files import take_lines
from lsk_engine.data.lazy import LazyNotes, LazySplits, lazy_array, map_splits
from lsk_engine.data.splits import splits_to_score
from lsk_engine.settings.source_spec import path_or_name
from lsk_translation.parallel_text import Corpus, ParallelText, read_folder, read_tfds
from lsk_translation.subwords import END_ID, PAD_ID, START_ID, UNUSED, SubwordVocabulary


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
    """Opens parallel text by name.

    Args:
        data: "cldr", or a path or name as for `lsk_engine.settings.source_spec.path_or_name`.
        max_train_examples: Number of training pairs: generated for cldr, drawn at random (in
            their order) from other data. `None`: 40,000 of cldr, 60,000 with phrases, all of
            other data.
        seed: Seed of the generated text or the draw.
        phrase_fraction: Fraction of single phrases among the generated pairs.
        source_language: Language code; for a folder, the suffix of its files.
        target_language: Language code, as for `source_language`.
        data_dir: Folder of TFDS data; default `TFDS_DATA_DIR`, then TFDS's own.
        new: Whether the data are for a finished run; then a single split suffices.

    Raises:
        InputError: If there are no such data, or they are not parallel.
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
    if phrase_fraction and english_first:  # all correct forms are known in German only
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


VOCABULARY_FILE = "subwords.model"


class TextPairs(Examples):
    """Source and target sentences of one split.

    A batch's inputs are `source` (pieces, then end) and `target` (start, then pieces); its labels
    are pieces, then end. `sizes` are the lengths of the longer side, end included.

    Args:
        source: The sub-word ids of the source sentences.
        target: The ids of the target sentences.
        references: The target sentences as text, or tuples of all correct ones if known.
    """

    def __init__(self, source: Ragged, target: Ragged, references: Sequence[str | tuple[str, ...]]):
        self.source, self.target, self.references = source, target, references
        self.sizes: np.ndarray = np.maximum(source.lengths, target.lengths) + 1

    @classmethod
    def encoded(cls, text: ParallelText, vocabulary: SubwordVocabulary) -> "TextPairs":
        """Encodes parallel text."""
        source, target = (Ragged(*vocabulary.encode(t)) for t in (text.source, text.target))
        return cls(source, target, text.right or text.target)

    def take(self, rows: np.ndarray) -> "TextPairs":
        """Returns a subset as a split."""
        references = take_lines(self.references, rows)
        return TextPairs(self.source.take(rows), self.target.take(rows), references)

    def __len__(self) -> int:
        return len(self.sizes)

    def gather(
        self, rows: np.ndarray, size: int | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the padded inputs and labels of `rows`."""
        size = int(self.sizes[rows].max()) if size is None else size
        labels = with_ends(self.target, rows, size)
        target = np.concatenate([np.full((len(rows), 1), START_ID, np.int32), labels[:, :-1]], 1)
        target[target == END_ID] = PAD_ID  # nothing is predicted after the end
        return {"source": with_ends(self.source, rows, size), "target": target}, labels

    def label_counts(self) -> np.ndarray:
        """Returns the target lengths, end tokens included."""
        return self.target.lengths + 1


def with_ends(sentences: Ragged, rows: np.ndarray, size: int) -> np.ndarray:
    """Returns int32 `(len(rows), size)`: each sentence's ids, `END_ID`, then `PAD_ID`."""
    return sentences.padded(rows, size, np.int32, end=END_ID)


def load(config: Config, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Loads the corpus, trains sub-words (or restores those of `artifacts`), encodes the text."""
    options = config.data
    corpus = load_source(
        options.source,
        max_train_examples=options.max_train_examples,
        seed=options.split_seed,
        phrase_fraction=options.phrase_fraction,
        source_language=options.source_language,
        target_language=options.target_language,
    )
    notes = []
    if artifacts is None:
        train = corpus.splits["train"]
        vocabulary = SubwordVocabulary.train(
            _BothSides(train),
            size=options.vocabulary_size,
            model_type=options.subwords,
            split_digits=options.split_digits,
        )
        if vocabulary.size != options.vocabulary_size:
            notes.append(
                f"the training text yields {vocabulary.size} sub-words, "
                f"not {options.vocabulary_size}"
            )
    else:
        vocabulary = _vocabulary(artifacts)
    unused: list[int] = []

    def load_split(name: str) -> TextPairs:
        pairs = TextPairs.encoded(corpus.splits[name], vocabulary)
        if name != "train":
            return pairs
        fits = pairs.sizes <= options.max_length
        if not fits.any():
            raise InputError(
                f"Expected training pairs of at most data.max_length={options.max_length} pieces. "
                f"Received: none, the shortest has {pairs.sizes.min()}"
            )
        unused.append(int((~fits).sum()))
        return pairs if fits.all() else pairs.take(np.flatnonzero(fits))

    # `train` last: the order is part of the data fingerprint.
    order = sorted(corpus.splits, key="train".__eq__)
    loaders = {name: functools.partial(load_split, name) for name in order}
    splits = LazySplits(loaders)

    def all_notes() -> Iterator[str]:
        splits.get("train")
        yield from (*corpus.notes, *notes)
        if any(unused):
            yield f"{unused[0]} training pairs over {options.max_length} pieces unused"

    counts = lazy_array(lambda: _label_counts(splits["train"], vocabulary.size))
    return task_data(splits, vocabulary, counts, LazyNotes(all_notes))


def load_new(config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
    """Loads new text for a finished run, with the run's sub-words; nothing is left out."""
    options = config.data
    corpus = load_source(
        options.source,
        seed=options.split_seed,
        source_language=options.source_language,
        target_language=options.target_language,
        new=True,
    )
    vocabulary = _vocabulary(artifacts)
    splits = splits_to_score(
        map_splits(corpus.splits, lambda name, text: TextPairs.encoded(text, vocabulary))
    )
    counts = lazy_array(lambda: _label_counts(splits["train"], vocabulary.size))
    return task_data(splits, vocabulary, counts, corpus.notes)


class _BothSides:
    """The lines of both languages; can be iterated several times."""

    def __init__(self, text: ParallelText):
        self._text = text

    def __iter__(self) -> Iterator[str]:
        yield from self._text.source
        yield from self._text.target


def _vocabulary(artifacts: Mapping[str, bytes]) -> SubwordVocabulary:
    if VOCABULARY_FILE not in artifacts:
        raise InputError(
            f"Expected {VOCABULARY_FILE} among the run's artifacts. "
            f"Received: {', '.join(artifacts) or 'none'}"
        )
    return SubwordVocabulary(artifacts[VOCABULARY_FILE])


def task_data(
    splits: Mapping[str, Examples],
    vocabulary: SubwordVocabulary,
    class_counts: np.ndarray,
    notes: Sequence[str],
) -> TaskData:
    """Builds the task data of the splits."""
    return TaskData(
        splits=splits,
        num_classes=vocabulary.size,
        ignore_class=PAD_ID,
        class_names=vocabulary.pieces,
        class_counts=class_counts,
        unused_classes=UNUSED,
        artifacts={VOCABULARY_FILE: vocabulary.to_bytes()},
        notes=notes,
    )


def _label_counts(train: Examples, num_classes: int) -> np.ndarray:
    counts = np.zeros(num_classes, np.int64)
    for rows in np.array_split(np.arange(len(train)), -(-len(train) // 4096)):
        _, labels = train.gather(rows, None)
        counts += np.bincount(labels[labels != PAD_ID], minlength=num_classes)
    return counts

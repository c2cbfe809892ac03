"""Parallel text as examples: sub-word ids in flat arrays, padded when a batch asks for them."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np

from ls_base.errors import InputError
from lsk_engine.data.prepared import is_prepared, open_prepared
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Examples, TaskData
from lsk_translation.corpus import ParallelText, load_corpus
from lsk_translation.subwords import END_ID, PAD_ID, START_ID, UNKNOWN_ID, SubwordVocabulary

VOCABULARY_FILE = "subwords.model"


class TextPairs(Examples):
    """Source and target sentences of one split.

    A batch's inputs are `source` (pieces, then end) and `target` (start, then pieces); its labels
    are pieces, then end. `sizes` is the longer side, its end counted.

    Args:
        source: The source sentences.
        target: As many target sentences.
        references: The target sentences as text.
    """

    def __init__(self, source: "Sentences", target: "Sentences", references: Sequence[str]):
        self.source, self.target, self.references = source, target, references
        self.sizes: np.ndarray = np.maximum(source.lengths, target.lengths) + 1

    @classmethod
    def encoded(cls, text: ParallelText, vocabulary: SubwordVocabulary) -> "TextPairs":
        """Returns parallel text in sub-words."""
        source, target = (Sentences(*vocabulary.encode(t)) for t in (text.source, text.target))
        return cls(source, target, text.target)

    def take(self, rows: np.ndarray) -> "TextPairs":
        """Returns the pairs `rows` as a split of their own."""
        references = tuple(self.references[i] for i in rows)
        return TextPairs(self.source.take(rows), self.target.take(rows), references)

    def __len__(self) -> int:
        return len(self.sizes)

    def gather(
        self, rows: np.ndarray, size: int | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the padded inputs and labels of `rows`."""
        size = int(self.sizes[rows].max()) if size is None else size
        labels = self.target.padded(rows, size)
        target = np.concatenate([np.full((len(rows), 1), START_ID, np.int32), labels[:, :-1]], 1)
        target[target == END_ID] = PAD_ID  # nothing is predicted after the end
        return {"source": self.source.padded(rows, size), "target": target}, labels

    def label_counts(self) -> np.ndarray:
        """Returns the target lengths, the end token counted."""
        return self.target.lengths + 1


class Sentences:
    """Sub-word ids of many sentences in one flat array.

    Args:
        ids: Integers `(pieces,)`, in memory or memory-mapped.
        offsets: int64 `(n + 1,)`: sentence i is `ids[offsets[i] : offsets[i + 1]]`.
    """

    def __init__(self, ids: np.ndarray, offsets: np.ndarray):
        self.ids, self.starts, self.lengths = ids, offsets[:-1], np.diff(offsets)

    def take(self, rows: np.ndarray) -> "Sentences":
        """Returns the sentences `rows`; the ids are shared."""
        taken = copy.copy(self)
        taken.starts, taken.lengths = self.starts[rows], self.lengths[rows]
        return taken

    def padded(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Returns int32 `(len(rows), size)`: each sentence's ids, `END_ID`, then `PAD_ID`."""
        lengths = self.lengths[rows][:, None]
        positions = np.arange(size)[None, :]
        inside = positions < lengths
        out = np.full((len(rows), size), PAD_ID, np.int32)
        out[inside] = self.ids[(self.starts[rows][:, None] + positions)[inside]]
        out[positions == lengths] = END_ID
        return out


def load(config: Config, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Loads the corpus, trains the sub-words (or takes those of `artifacts`), encodes all."""
    options = config.data
    if is_prepared(options.source):
        from lsk_translation.prepared import load_prepared

        return load_prepared(open_prepared(options.source, config.task), artifacts)
    corpus = load_corpus(
        options.source,
        pairs=options.pairs,
        seed=config.training.seed,
        source_language=options.source_language,
        target_language=options.target_language,
    )
    notes = list(corpus.notes)
    train = corpus.splits["train"]
    if artifacts is None:
        vocabulary = SubwordVocabulary.train(
            [*train.source, *train.target],
            size=options.vocabulary_size,
            model_type=options.subwords,
        )
        if vocabulary.size != options.vocabulary_size:
            notes.append(
                f"the training text yields {vocabulary.size} sub-words, "
                f"not {options.vocabulary_size}"
            )
    else:
        vocabulary = SubwordVocabulary.from_bytes(artifacts[VOCABULARY_FILE])
    splits: dict[str, Examples] = {
        name: TextPairs.encoded(text, vocabulary)
        for name, text in corpus.splits.items()
        if name != "train"
    }
    pairs = TextPairs.encoded(train, vocabulary)
    fits = pairs.sizes <= options.max_length
    if not fits.any():
        raise InputError(
            f"Expected training pairs of at most data.max_length={options.max_length} pieces. "
            f"Received: none, the shortest has {pairs.sizes.min()}"
        )
    splits["train"] = pairs
    if not fits.all():
        notes.append(f"{int((~fits).sum())} training pairs over {options.max_length} pieces unused")
        splits["train"] = pairs.take(np.flatnonzero(fits))
    counts = _label_counts(splits["train"], vocabulary.size)
    return task_data(splits, vocabulary, counts, tuple(notes))


def task_data(
    splits: Mapping[str, Examples],
    vocabulary: SubwordVocabulary,
    class_counts: np.ndarray,
    notes: tuple[str, ...],
) -> TaskData:
    """Returns what the core knows of the splits."""
    return TaskData(
        splits=splits,
        num_classes=vocabulary.size,
        ignore_class=PAD_ID,
        class_names=vocabulary.pieces,
        class_counts=class_counts,
        unused_classes=(PAD_ID, START_ID, UNKNOWN_ID),
        artifacts={VOCABULARY_FILE: vocabulary.to_bytes()},
        notes=notes,
    )


def _label_counts(train: Examples, num_classes: int) -> np.ndarray:
    counts = np.zeros(num_classes, np.int64)
    for rows in np.array_split(np.arange(len(train)), -(-len(train) // 4096)):
        _, labels = train.gather(rows, None)
        counts += np.bincount(labels[labels != PAD_ID], minlength=num_classes)
    return counts

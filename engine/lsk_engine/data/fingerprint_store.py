"""What a run keeps of its data: what they are known by, and what scoring asks of training's split.

With it, a finished run is scored without its training split, which is neither read nor built.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from ls_base.errors import FileError, InputError
from ls_base.records import Count, Record
from ls_keras.distillation.fingerprint import DataFingerprint
from lsk_engine.data.fingerprint import (
    Fingerprint,
    SplitFingerprint,
    compare_fingerprints,
    counts_digest,
    fingerprint_data,
    split_differences,
    split_fingerprint,
)
from lsk_engine.data.lazy import LazySplits, map_splits
from lsk_engine.tasks.contract import Examples, TaskData


class StoredFingerprint(Record, frozen=True):
    """What `data.json` holds.

    Attributes:
        classes: See `lsk_engine.data.fingerprint.Fingerprint`.
        class_counts: Likewise.
        splits: Likewise.
        notes: What every report on the data must say.
        label_counts: How often each class is a training label: numbers with spaces between.
        sizes: Sizes of training examples, likewise, and how many there are of each; none where all
            have one shape.
        train: What every training example was looked at for, if a teacher's logits were kept.
    """

    classes: Count
    class_counts: str
    splits: dict[str, SplitFingerprint]
    notes: list[str] | None = None
    label_counts: str | None = None
    sizes: tuple[str, str] | None = None
    train: DataFingerprint | None = None

    @classmethod
    def of(cls, data: TaskData) -> "StoredFingerprint":
        """Looks at data, for which every split is loaded."""
        train = data.splits["train"]
        found = fingerprint_data(data)
        sizes = None
        if train.sizes is not None:
            values, counts = np.unique(train.sizes, return_counts=True)
            sizes = (_written(values), _written(counts))
        return cls(
            **found,
            notes=list(data.notes),
            label_counts=_written(np.asarray(data.class_counts)),
            sizes=sizes,
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """What the data are known by."""
        return {
            "classes": self.classes,
            "class_counts": self.class_counts,
            "splits": self.splits,
        }

    def counts(self, where: object) -> np.ndarray | None:
        """Returns how often each class is a training label; `None`: an older run does not say.

        Args:
            where: The file, for an error.

        Raises:
            FileError: If that is not what it was when the run began.
        """
        if self.label_counts is None:
            return None
        counts = _read(self.label_counts, where)
        if len(counts) != self.classes or counts_digest(counts) != self.class_counts:
            raise FileError(
                f"Expected label_counts of {self.classes} classes in {where} as they were "
                f"written. Received: others, of {len(counts)}"
            )
        whole = counts.astype(np.int64)  # as they were, before they were written
        return whole if np.array_equal(whole, counts) else counts

    def train_sizes(self, where: object) -> np.ndarray | None:
        """Returns the sizes of the training examples, ascending; `None`: there are none.

        Args:
            where: The file, for an error.

        Raises:
            FileError: If there are not as many as training examples.
        """
        if self.sizes is None or "train" not in self.splits:
            return None
        values, counts = (_read(text, where).astype(np.int64) for text in self.sizes)
        examples = self.splits["train"]["examples"]
        fit = len(values) == len(counts) and (values >= 0).all() and (counts >= 0).all()
        if not fit or counts.sum() != examples:
            raise FileError(
                f"Expected the sizes of {examples:,} training examples in {where}. "
                f"Received: of {int(counts.sum()):,}"
            )
        return np.repeat(values, counts)


def check_fingerprint(
    data: TaskData,
    state: StoredFingerprint,
    where: object,
    refusal: Callable[[list[str]], InputError],
    *,
    whole: bool,
) -> TaskData:
    """Holds data against what they were; a split that is loaded later, when that happens.

    Args:
        data: The data as they are.
        state: What a run keeps of what they were.
        where: The file it keeps them in, for an error.
        refusal: Returns what to raise, of what has changed.
        whole: Whether every split is loaded and looked at now.

    Returns:
        The data, of which what the run has kept is not asked again.

    Raises:
        InputError: If they are not what they were.
    """
    lazily = isinstance(data.splits, LazySplits) and not whole
    expected = state.fingerprint
    if lazily:
        # As if the splits had not changed, until one is there to be looked at.
        there = {name: expected["splits"].get(name, _NONE) for name in data.splits}
        known: Fingerprint = {**expected, "classes": data.num_classes, "splits": there}
        changed = compare_fingerprints(expected, known)
    else:
        changed = compare_fingerprints(expected, fingerprint_data(data))
    if changed:
        raise refusal(changed)

    def looked_at(name: str, examples: Examples) -> Examples:
        found = split_differences(name, expected["splits"][name], split_fingerprint(examples))
        if name == "train" and not found and counts_digest(data.class_counts) != state.class_counts:
            found = ["train: other labels"]
        if found:
            raise refusal(found)
        return examples

    counts = state.counts(where)
    return dataclasses.replace(
        data,
        splits=map_splits(data.splits, looked_at) if lazily else data.splits,
        class_counts=data.class_counts if counts is None else counts,
        notes=data.notes if state.notes is None else tuple(state.notes),
        train_sizes=state.train_sizes(where),
    )


_NONE: SplitFingerprint = {"examples": 0, "labels": 0, "sha256": ""}


def _written(numbers: np.ndarray) -> str:
    return " ".join(str(int(n)) if n == int(n) else repr(float(n)) for n in numbers.tolist())


def _read(text: str, where: object) -> np.ndarray:
    try:
        numbers = np.array(text.split(), np.float64)
    except ValueError as error:
        raise FileError(f"Expected numbers in {where}. Received: {error}") from error
    if not (np.isfinite(numbers) & (np.abs(numbers) < 2**62)).all():
        raise FileError(f"Expected finite numbers in {where}. Received: others")
    return numbers

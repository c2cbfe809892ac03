"""Data fingerprints: a run stores one, to detect changed data when it is resumed."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import TypedDict

import numpy as np

from ls_base.errors import InputError
from ls_base.records import Count, Record
from ls_keras.distillation.fingerprint import DataFingerprint
from lsk_engine.data.lazy import LazySplits, map_splits
from lsk_engine.tasks.contract import Examples, TaskData

# Examples of a split whose content is hashed: all of a small data set, and enough of a large one
# to notice another version of it, within a second.
_MAX_EXAMPLES = 1024


class SplitFingerprint(TypedDict):
    """The fingerprint of a split.

    Attributes:
        examples: The number of examples.
        labels: The number of labels that count.
        sha256: A hash of the sizes and label counts of all examples, and of the content of at most
            1,024, evenly spaced.
    """

    examples: int
    labels: int
    sha256: str


class Fingerprint(Record, frozen=True):
    """The fingerprint of a task's data.

    Attributes:
        classes: The number of classes.
        class_counts: A hash of how often each class is a training label.
        splits: The fingerprint of each split.
    """

    classes: Count
    class_counts: str
    splits: dict[str, SplitFingerprint]


class StoredFingerprint(Fingerprint, frozen=True):
    """The content of `data.json`: the fingerprint, and what scoring needs of the training split.

    With it, a finished run is scored without loading its training split.

    Attributes:
        notes: Notes that every report on the data must contain.
        label_counts: How often each class is a training label, as numbers separated by spaces.
        sizes: The distinct sizes of training examples, and the number of examples of each, written
            alike; `None` for examples of one shape.
        train: The fingerprint of all training examples, for cached logits of a teacher.
    """

    notes: list[str]
    label_counts: str
    sizes: tuple[str, str] | None = None
    train: DataFingerprint | None = None

    def __post_init__(self) -> None:
        """Raises a ValueError, which names the file once it is converted, for other numbers."""
        if len(_parse(self.label_counts)) != self.classes:
            raise ValueError(f"label_counts of other than {self.classes} classes")
        if self.sizes is not None:
            values, counts = map(_parse, self.sizes)
            negative = (values < 0).any() or (counts < 0).any()
            total = self.splits["train"]["examples"] if "train" in self.splits else -1
            if negative or len(values) != len(counts) or counts.sum() != total:
                raise ValueError(f"sizes of other than {total:,} training examples")

    @classmethod
    def of(cls, data: TaskData) -> "StoredFingerprint":
        """Returns the fingerprint of data, for which every split is loaded."""
        train, found = data.splits["train"], fingerprint_data(data)
        sizes = None
        if train.sizes is not None:
            values, counts = np.unique(train.sizes, return_counts=True)
            sizes = (_format(values), _format(counts))
        return cls(
            classes=found.classes,
            class_counts=found.class_counts,
            splits=found.splits,
            notes=list(data.notes),
            label_counts=_format(np.asarray(data.class_counts)),
            sizes=sizes,
        )

    def read_label_counts(self) -> np.ndarray:
        """Returns how often each class is a training label: integers, if all counts are whole."""
        counts = _parse(self.label_counts)
        whole = counts.astype(np.int64)
        return whole if np.array_equal(whole, counts) else counts

    def read_sizes(self) -> np.ndarray | None:
        """Returns the sizes of the training examples, ascending; `None`: they have one shape."""
        if self.sizes is None:
            return None
        values, counts = (_parse(text).astype(np.int64) for text in self.sizes)
        return np.repeat(values, counts)


def fingerprint_data(data: TaskData) -> Fingerprint:
    """Returns the fingerprint of a task's data, for which every split is loaded."""
    return Fingerprint(
        classes=data.num_classes,
        class_counts=_hash_counts(data.class_counts),
        splits={name: _fingerprint_split(examples) for name, examples in data.splits.items()},
    )


def compare_fingerprints(before: Fingerprint, now: Fingerprint) -> list[str]:
    """Returns the differences between two fingerprints as phrases; empty if there are none."""
    found = []
    for split in sorted(before.splits.keys() | now.splits.keys()):
        found += _compare_splits(split, before.splits.get(split), now.splits.get(split))
    if before.classes != now.classes:
        found.append(f"{before.classes:,} classes, now {now.classes:,}")
    elif before.class_counts != now.class_counts and not found:
        found.append("train: other labels")
    return found


def check_fingerprint(
    data: TaskData,
    stored: StoredFingerprint,
    refuse: Callable[[list[str]], InputError],
    *,
    whole: bool,
) -> TaskData:
    """Compares data with a run's stored fingerprint.

    Args:
        data: The data as they are now.
        stored: The run's fingerprint.
        refuse: Makes the exception from a list of differences.
        whole: Whether all splits are loaded and compared now; else each when it is loaded.

    Returns:
        The data, with the stored label counts, sizes and notes.

    Raises:
        InputError: If the data have changed.
    """
    lazily = isinstance(data.splits, LazySplits) and not whole
    if lazily:  # compare names and classes; each split follows when it is loaded
        splits = {name: stored.splits.get(name, _MISSING) for name in data.splits}
        now = Fingerprint(classes=data.num_classes, class_counts=stored.class_counts, splits=splits)
    else:
        now = fingerprint_data(data)
    if changed := compare_fingerprints(stored, now):
        raise refuse(changed)

    def compare(name: str, examples: Examples) -> Examples:
        found = _compare_splits(name, stored.splits[name], _fingerprint_split(examples))
        if name == "train" and not found and _hash_counts(data.class_counts) != stored.class_counts:
            found = ["train: other labels"]
        if found:
            raise refuse(found)
        return examples

    return dataclasses.replace(
        data,
        splits=map_splits(data.splits, compare) if lazily else data.splits,
        class_counts=stored.read_label_counts(),
        notes=tuple(stored.notes),
        train_sizes=stored.read_sizes(),
    )


def _compare_splits(
    split: str, before: SplitFingerprint | None, now: SplitFingerprint | None
) -> list[str]:
    if before == now:
        return []
    if before is None or now is None:
        return [f"{split}: {'not there before' if before is None else 'not there now'}"]
    counts = [
        f"{before[what]:,} {what}, now {now[what]:,}"
        for what in ("examples", "labels")
        if before[what] != now[what]
    ]
    return [f"{split}: {', '.join(counts) or 'other content'}"]


def _fingerprint_split(examples: Examples) -> SplitFingerprint:
    counts = examples.label_counts()
    digest = hashlib.sha256(_to_bytes(counts, np.int64))
    if examples.sizes is not None:
        digest.update(_to_bytes(examples.sizes, np.int64))
    rows = np.unique(np.linspace(0, len(examples) - 1, _MAX_EXAMPLES).astype(np.int64))
    for row in rows if len(examples) else []:
        size = None if examples.sizes is None else int(examples.sizes[row])
        inputs, labels = examples.gather(np.array([row]), size)
        for name in sorted(inputs):
            digest.update(np.ascontiguousarray(inputs[name]).tobytes())
        digest.update(np.ascontiguousarray(labels).tobytes())
    return {
        "examples": len(examples),
        "labels": int(np.sum(counts)),
        "sha256": digest.hexdigest()[:16],
    }


def _hash_counts(class_counts: np.ndarray) -> str:
    return hashlib.sha256(_to_bytes(class_counts, np.float64)).hexdigest()[:16]


def _to_bytes(values, dtype) -> bytes:
    return np.ascontiguousarray(values, dtype).tobytes()


def _format(numbers: np.ndarray) -> str:
    return " ".join(str(int(n)) if n == int(n) else repr(float(n)) for n in numbers.tolist())


def _parse(text: str) -> np.ndarray:
    numbers = np.array(text.split(), np.float64)
    if not (np.isfinite(numbers) & (np.abs(numbers) < 2**62)).all():
        raise ValueError("numbers that are not finite")
    return numbers


_MISSING: SplitFingerprint = {"examples": 0, "labels": 0, "sha256": ""}

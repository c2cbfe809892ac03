"""What the data of a run are known by, so that other data are noticed when it goes on."""

import hashlib
from typing import TypedDict

import numpy as np

from lsk_engine.tasks.contract import Examples, TaskData

# Examples of a split whose content is looked at: all of a small data set, and of a large one
# enough to notice another version of it, within a second.
_MOST_EXAMPLES = 1024


class SplitFingerprint(TypedDict):
    """What a split is known by."""

    examples: int
    labels: int
    sha256: str


class Fingerprint(TypedDict):
    """What data are known by, as JSON holds it."""

    classes: int
    class_counts: str
    splits: dict[str, SplitFingerprint]


def fingerprint_data(data: TaskData) -> Fingerprint:
    """Returns what a task's data are known by.

    For each split the numbers of examples and of labels that count, and the SHA-256 over the sizes
    and label counts of all its examples and over the content of at most 1,024, evenly spaced.
    The number of classes, and the SHA-256 over how often each is a training label.
    """
    return {
        "classes": data.num_classes,
        "class_counts": counts_digest(data.class_counts),
        "splits": {name: split_fingerprint(examples) for name, examples in data.splits.items()},
    }


def counts_digest(class_counts: np.ndarray) -> str:
    """Returns what the counts of training labels are known by.

    Args:
        class_counts: As in `TaskData`.
    """
    return hashlib.sha256(_bytes(class_counts, np.float64)).hexdigest()[:16]


def compare_fingerprints(expected: Fingerprint, received: Fingerprint) -> list[str]:
    """Returns in words what is not the same of two fingerprints, first as it was."""
    found = []
    for split in sorted(expected["splits"].keys() | received["splits"].keys()):
        before, now = (which["splits"].get(split) for which in (expected, received))
        found += split_differences(split, before, now)
    if expected["classes"] != received["classes"]:
        found.append(f"{expected['classes']:,} classes, now {received['classes']:,}")
    elif expected["class_counts"] != received["class_counts"] and not found:
        found.append("train: other labels")
    return found


def split_differences(
    split: str, before: SplitFingerprint | None, now: SplitFingerprint | None
) -> list[str]:
    """Returns in words what is not the same of a split; nothing, if nothing is.

    Args:
        split: Its name.
        before: As it was; `None`: it was not there.
        now: As it is; `None`: it is not there.
    """
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


def split_fingerprint(examples: Examples) -> SplitFingerprint:
    """Returns what a split is known by.

    Args:
        examples: The split.
    """
    counts = examples.label_counts()
    digest = hashlib.sha256(_bytes(counts, np.int64))
    if examples.sizes is not None:
        digest.update(_bytes(examples.sizes, np.int64))
    rows = np.unique(np.linspace(0, len(examples) - 1, _MOST_EXAMPLES).astype(np.int64))
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


def _bytes(values, dtype) -> bytes:
    return np.ascontiguousarray(values, dtype).tobytes()

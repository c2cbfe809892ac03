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


def fingerprint(data: TaskData) -> Fingerprint:
    """Returns what a task's data are known by.

    For each split the numbers of examples and of labels that count, and the SHA-256 over the sizes
    and label counts of all its examples and over the content of at most 1,024, evenly spaced.
    The number of classes, and the SHA-256 over how often each is a training label.
    """
    return {
        "classes": data.num_classes,
        "class_counts": hashlib.sha256(_bytes(data.class_counts, np.float64)).hexdigest()[:16],
        "splits": {name: _of_split(examples) for name, examples in data.splits.items()},
    }


def differences(expected: Fingerprint, received: Fingerprint) -> list[str]:
    """Returns in words what is not the same of two fingerprints, first as it was."""
    found = []
    for split in sorted(expected["splits"].keys() | received["splits"].keys()):
        before, now = (which["splits"].get(split) for which in (expected, received))
        if before == now:
            continue
        if before is None or now is None:
            found.append(f"{split}: {'not there before' if before is None else 'not there now'}")
            continue
        counts = [
            f"{before[what]:,} {what}, now {now[what]:,}"
            for what in ("examples", "labels")
            if before[what] != now[what]
        ]
        found.append(f"{split}: {', '.join(counts) or 'other content'}")
    if expected["classes"] != received["classes"]:
        found.append(f"{expected['classes']:,} classes, now {received['classes']:,}")
    elif expected["class_counts"] != received["class_counts"] and not found:
        found.append("train: other labels")
    return found


def _of_split(examples: Examples) -> SplitFingerprint:
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

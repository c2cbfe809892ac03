"""Splits of a user's data: their names, and drawing those that are missing."""

import functools
import re
from collections.abc import Iterable, Mapping

import numpy as np

from ls_base.errors import InputError
from lsk_engine.data.lazy import LazySplits
from lsk_engine.tasks.contract import Examples

ALL = "all"
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
_SPLITS = {word: split for split, words in SPLIT_NAMES.items() for word in words}
# Short words count only if no letter follows: `values.npz` is no validation data.
_PREFIX = re.compile(r"(train|validation|test)|(valid|val|dev)(?![a-z])")


def split_from_name(word: str) -> str | None:
    """Returns the split that a word names, in any case; `None`: none.

    Args:
        word: The name of a folder, for example.

    Example:
    >>> split_from_name("val"), split_from_name("Training"), split_from_name("photos")
    ('validation', 'train', None)
    """
    return _SPLITS.get(word.lower())


def split_from_prefix(name: str) -> str | None:
    """Returns the split that a longer name starts with; `None`: none.

    Args:
        name: The name of a file, for example.

    Example:
    >>> split_from_prefix("val_jpeg.npz"), split_from_prefix("values.npz")
    ('validation', None)
    """
    found = _PREFIX.match(name.lower())
    return split_from_name(found[0]) if found else None


def unique_splits(found: Iterable[tuple[str, str]], where: object) -> dict[str, str]:
    """Returns the name of each split in the data; two names for one split are refused.

    Args:
        found: Pairs of a split and its name in the data.
        where: The data's path, for an error.

    Raises:
        InputError: If a split has two names.

    Example:
    >>> unique_splits([("train", "train"), ("validation", "dev")], "a folder")
    {'train': 'train', 'validation': 'dev'}
    """
    names: dict[str, str] = {}
    for split, name in found:
        if names.setdefault(split, name) != name:
            raise InputError(
                f"Expected one for the split {split} in {where}. "
                f"Received: {names[split]} and {name}"
            )
    return names


def splits_to_score(found: Mapping[str, Examples]) -> LazySplits:
    """Returns the splits of new data, which are scored, and `train`, which batches need.

    Data without splits become the split `all`. If there is no training split, another one takes
    its name; no training uses it. Each split is loaded when it is needed.

    Args:
        found: The splits of the data, at least one.

    Example:
    >>> for names in (["train"], ["test"], ["train", "test"]):
    ...     dict(splits_to_score({name: f"the {name} split" for name in names}))
    {'train': 'the train split', 'all': 'the train split'}
    {'train': 'the test split', 'test': 'the test split'}
    {'train': 'the train split', 'test': 'the test split'}
    """
    names = {name: name for name in found}
    if list(found) == ["train"]:
        names[ALL] = "train"
    names = {"train": names.get("train", next(iter(found))), **names}
    return LazySplits(
        {name: functools.partial(found.__getitem__, split) for name, split in names.items()}
    )


def draw_rows(
    total: int, missing: Mapping[str, float | None], *, seed: int, examples: int | None, noun: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Draws the missing splits at random from the training examples.

    Args:
        total: Number of training examples in the source.
        missing: The missing splits, `test` before `validation`, with the number of examples, or
            their share if below 1; `None`: a sixth for `test`, a tenth of the rest for
            `validation`.
        seed: The random seed.
        examples: Number of remaining examples to train on; `None`: all.
        noun: The plural of an example, for notes and errors.

    Returns:
        The ascending rows of each missing split and of `train`, and notes.

    Raises:
        InputError: If no training example would remain, or a split would be empty.

    Example:
        >>> rows, notes = draw_rows(60, {"test": None}, seed=0, examples=None, noun="images")
        >>> len(rows["test"]), len(rows["train"]), notes
        (10, 50, ['test: 10 images drawn from the training images'])
    """
    wanted: dict[str, int] = {}
    for name, count in missing.items():
        default = total // 6 if name == "test" else (total - wanted.get("test", 0)) // 10
        if count is not None and count < 1:
            count = max(round(count * total), 1)
        wanted[name] = int(count or default)
    settings = " and ".join(f"--set data.{name}=…" for name in wanted)
    if sum(wanted.values()) >= total or not all(wanted.values()):
        raise InputError(
            f"Expected to hold out at least 1 and fewer than {total:,} training {noun}: "
            f"set their number or share with {settings}. "
            f"Received: {', '.join(f'{count:,} for {name}' for name, count in wanted.items())}"
        )
    order = np.random.default_rng(seed).permutation(total)
    rows, notes, start = {}, [], 0
    for name, count in wanted.items():
        rows[name] = np.sort(order[start : start + count])
        notes.append(f"{name}: {count:,} {noun} drawn from the training {noun}")
        start += count
    left = order[start:]
    if examples is not None:
        if examples > len(left):
            raise InputError(
                f"Expected data.max_train_examples of at most {len(left)}, the number of training "
                f"{noun} left. Received: {examples}"
            )
        left = left[:examples]
        notes.append(f"train: {len(left):,} of {total - start:,} {noun}, drawn at random")
    rows["train"] = np.sort(left)
    return rows, notes

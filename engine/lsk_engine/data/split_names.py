"""What splits are called in people's own data: the same words for every task."""

import functools
import re
from collections.abc import Iterable, Mapping

from ls_base.errors import InputError
from lsk_engine.data.lazy import LazySplits
from lsk_engine.tasks.contract import Examples

ALL = "all"


def splits_to_score(found: Mapping[str, Examples]) -> LazySplits:
    """Returns splits of which all but `train` are to be scored, and `train`, which batches need.

    Data without splits of their own are one, `all`. Without a split for training, another has its
    place: nobody trains on it. Each is loaded when it is asked for.

    Args:
        found: The splits that the data have, one at least.

    Example:
    >>> for names in (["train"], ["test"], ["train", "test"]):
    ...     dict(splits_to_score({name: f"the {name} split" for name in names}))
    {'train': 'the train split', 'all': 'the train split'}
    {'train': 'the test split', 'test': 'the test split'}
    {'train': 'the train split', 'test': 'the test split'}
    """
    of = {name: name for name in found}
    if list(found) == ["train"]:
        of[ALL] = "train"
    of = {"train": of.get("train", next(iter(found))), **of}
    return LazySplits(
        {name: functools.partial(found.__getitem__, split) for name, split in of.items()}
    )


SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
_OF_WORD = {word: split for split, words in SPLIT_NAMES.items() for word in words}
# Short words count only where no letter follows: `values.npz` is no validation data.
_BEGINNING = re.compile(r"(train|validation|test)|(valid|val|dev)(?![a-z])")


def split_from_name(word: str) -> str | None:
    """Returns the split that a word names, in whichever case; `None`: none.

    Args:
        word: A name of a folder, say.

    Example:
    >>> split_from_name("val"), split_from_name("Training"), split_from_name("photos")
    ('validation', 'train', None)
    """
    return _OF_WORD.get(word.lower())


def split_from_prefix(name: str) -> str | None:
    """Returns the split that a longer name begins with; `None`: it begins with none.

    Args:
        name: Of a file, say.

    Example:
    >>> split_from_prefix("val_jpeg.npz"), split_from_prefix("values.npz")
    ('validation', None)
    """
    found = _BEGINNING.match(name.lower())
    return split_from_name(found[0]) if found else None


def unique_splits(found: Iterable[tuple[str, str]], where: object) -> dict[str, str]:
    """Returns what each split is called; of two for one split, neither is left out silently.

    Args:
        found: Pairs of a split and of what stands for it.
        where: Where they were found, for an error.

    Raises:
        InputError: If two stand for one split.

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

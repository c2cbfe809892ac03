"""What splits are called in people's own data: the same words for every task."""

import re
from collections.abc import Iterable

from ls_base.errors import InputError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
_OF_WORD = {word: split for split, words in SPLIT_NAMES.items() for word in words}
# Short words count only where no letter follows: `values.npz` is no validation data.
_BEGINNING = re.compile(r"(train|validation|test)|(valid|val|dev)(?![a-z])")


def split_of(word: str) -> str | None:
    """Returns the split that a word names, in whichever case; `None`: none.

    Args:
        word: A name of a folder, say.

    Example:
    >>> split_of("val"), split_of("Training"), split_of("photos")
    ('validation', 'train', None)
    """
    return _OF_WORD.get(word.lower())


def split_at_beginning(name: str) -> str | None:
    """Returns the split that a longer name begins with; `None`: it begins with none.

    Args:
        name: Of a file, say.

    Example:
    >>> split_at_beginning("val_jpeg.npz"), split_at_beginning("values.npz")
    ('validation', None)
    """
    found = _BEGINNING.match(name.lower())
    return split_of(found[0]) if found else None


def one_of_each(found: Iterable[tuple[str, str]], where: object) -> dict[str, str]:
    """Returns what each split is called; of two for one split, neither is left out silently.

    Args:
        found: Pairs of a split and of what stands for it.
        where: Where they were found, for an error.

    Raises:
        InputError: If two stand for one split.

    Example:
    >>> one_of_each([("train", "train"), ("validation", "dev")], "a folder")
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

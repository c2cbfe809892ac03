"""The splits of other data than a run's, which its model is scored on."""

from collections.abc import Mapping
from typing import TypeVar

ALL = "all"
_Split = TypeVar("_Split")


def new_splits(found: Mapping[str, _Split]) -> dict[str, _Split]:
    """Returns splits of which all but `train` are to be scored, and `train`, which batches need.

    Data without splits of their own are one, `all`. Without a split for training, another has its
    place: nobody trains on it.

    Args:
        found: The splits that the data have, one at least.

    Example:
    >>> new_splits({"train": 1}), new_splits({"test": 2}), new_splits({"train": 1, "test": 2})
    ({'train': 1, 'all': 1}, {'train': 2, 'test': 2}, {'train': 1, 'test': 2})
    """
    if list(found) == ["train"]:
        return {**found, ALL: found["train"]}
    return {"train": found.get("train", next(iter(found.values()))), **found}

"""The splits of other data than a run's, which its model is scored on."""

import functools
from collections.abc import Mapping

from lsk_engine.data.lazy import LazySplits
from lsk_engine.tasks.contract import Examples

ALL = "all"


def new_splits(found: Mapping[str, Examples]) -> LazySplits:
    """Returns splits of which all but `train` are to be scored, and `train`, which batches need.

    Data without splits of their own are one, `all`. Without a split for training, another has its
    place: nobody trains on it. Each is loaded when it is asked for.

    Args:
        found: The splits that the data have, one at least.

    Example:
    >>> for names in (["train"], ["test"], ["train", "test"]):
    ...     dict(new_splits({name: f"the {name} split" for name in names}))
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

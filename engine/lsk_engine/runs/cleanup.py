"""What a start that fails leaves behind: nothing."""

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

_TRAINED = ("checkpoints/*", "history.jsonl", "model.keras", "metrics.json")


@contextlib.contextmanager
def removed_if_nothing_began(
    directory: Path,
    *,
    new: bool,
    on: type[BaseException] | tuple[type[BaseException], ...] = BaseException,
) -> Iterator[None]:
    """Removes a folder that was not there before, if the block fails before anything was trained.

    What was wrong can be mended then, and the same command given again.

    Args:
        directory: A run's folder, or one of many runs; it is held.
        new: Whether it was not there before.
        on: Which failures.
    """
    try:
        yield
    except on:
        trained = itertools.chain.from_iterable(map(directory.rglob, _TRAINED))
        if new and next(trained, None) is None:
            shutil.rmtree(directory, ignore_errors=True)
        raise

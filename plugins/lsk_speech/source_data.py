"""Utterances in splits, as their source has them, and drawing splits that it lacks."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np

from ls_base.errors import short_repr
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.data.splits import split_from_name
from lsk_speech.units import normalize


@dataclasses.dataclass(frozen=True)
class Speech:
    """One split.

    Attributes:
        rows: int16 samples `(samples,)` of each utterance, or its feature frames
            `(frames, features)`.
        texts: Normalized transcripts, each with a word at least.
        speakers: The speaker of each; one name for all if unknown.
    """

    rows: Ragged
    texts: Sequence[str]
    speakers: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Speech":
        """Returns a subset as a split."""
        return Speech(
            self.rows.take(rows), [self.texts[i] for i in rows], [self.speakers[i] for i in rows]
        )


@dataclasses.dataclass(frozen=True)
class SpeechSource:
    """Utterances in splits.

    Attributes:
        splits: `train`, `validation`, `test` and possibly further test sets, read when they are
            first used.
        sample_rate: Samples per second; `None`: the rows are feature frames, 10 ms apart.
        notes: Remarks about the data for the run's output and report.
    """

    splits: Mapping[str, Speech]
    sample_rate: int | None
    notes: Sequence[str] = ()


SHARE = 0.1  # of the utterances, for each split that is missing


def hold_out(speakers: Sequence[str], splits: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """Draws splits of about a tenth each.

    Whole speakers are drawn if there are at least three for each split, so that held-out speakers
    are not in training; otherwise, or if less than half would be left for training, utterances.

    Args:
        speakers: The speaker of each utterance.
        splits: Names of the splits to draw.
        seed: Seed of the draw.

    Returns:
        The rows of each split, and of `train`, ascending.

    Raises:
        InputError: If there are too few utterances.

    Example:
        >>> found = hold_out(["ann", "bo", "cy", "dee"] * 5, ["test"], seed=0)
        >>> len(found["test"]), len(found["train"])
        (5, 15)
    """
    total = len(speakers)
    if total < 3 * (len(splits) + 1):
        raise InputError(
            f"Expected at least {3 * (len(splits) + 1)} utterances to draw {', '.join(splits)} "
            f"from. Received: {total}"
        )
    names, groups = np.unique(np.asarray(speakers), return_inverse=True)
    if len(names) >= 3 * len(splits):
        found = _drawn(groups, splits, seed)
        if 2 * len(found["train"]) >= total:
            return found
    return _drawn(np.arange(total), splits, seed)


def _drawn(groups: np.ndarray, splits: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """Returns the rows of each split and of `train`; groups are not divided."""
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    reached = np.cumsum(np.bincount(groups)[order])  # examples up to and with each group
    chosen, start = {}, 0
    for split in splits:
        before = reached[min(start, len(reached)) - 1] if start else 0
        stop = int(np.searchsorted(reached, before + SHARE * len(groups))) + 1
        chosen[split] = np.flatnonzero(np.isin(groups, order[start:stop]))
        start = stop
    chosen["train"] = np.flatnonzero(np.isin(groups, order[start:]))
    return chosen


_TEST = re.compile(r"test[\w.+-]{0,60}")


def split_rows(
    names: Sequence[str],
    rows: Sequence[str],
    speakers: Sequence[str],
    seed: int,
    *,
    new: bool = False,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Returns the rows of each split; missing splits are drawn from the training utterances.

    Args:
        names: The split of each row, as in `lsk_engine.data.splits`, or a further test set
            `test…`; all empty if unknown.
        rows: The name of each row in an error.
        speakers: The speaker of each row.
        seed: Seed of the draw.
        new: Whether to keep the existing splits and draw nothing.

    Returns:
        Row numbers by split, and notes on the drawn splits.

    Raises:
        InputError: If a split name is unknown, or there is nothing to train on.
    """
    if not any(names):
        names = ["train"] * len(names)
    members: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for i, name in enumerate(names):
        known = name if _TEST.fullmatch(name) and name != "testing" else split_from_name(name)
        if known is None:
            raise InputError(
                "Expected a split train, validation or test. "
                f"Received: {short_repr(name)} in {rows[i]}"
            )
        members.setdefault(known, []).append(i)
    if new:
        return {name: np.array(found) for name, found in members.items() if found}, []
    if not members["train"]:
        raise InputError(f"Expected utterances for training. Received: {', '.join(set(names))}")
    splits = {name: np.array(found) for name, found in members.items() if found}
    missing = [name for name in members if name not in splits]
    notes = []
    if missing:
        train = splits["train"]
        drawn = hold_out([speakers[i] for i in train], missing, seed)
        splits |= {name: train[found] for name, found in drawn.items()}
        heard = {speakers[i] for i in splits["train"]}
        for name in missing:
            who = {speakers[i] for i in splits[name]}
            apart = f" ({len(who)} speakers, not in training)" if not who & heard else ""
            notes.append(f"{name}: {len(splits[name]):,} utterances{apart} held out of training")
    return {name: splits[name] for name in members}, notes


def checked_texts(texts: Sequence[str], rows: Sequence[str]) -> list[str]:
    """Returns normalized transcripts.

    Args:
        texts: The transcripts.
        rows: The name of each in an error.

    Raises:
        InputError: If one has no word.
    """
    normalized = [normalize(text) for text in texts]
    for text, found, row in zip(texts, normalized, rows, strict=True):
        if not found:
            raise InputError(
                f"Expected a transcript with a word. Received: {short_repr(text)} in {row}"
            )
    return normalized

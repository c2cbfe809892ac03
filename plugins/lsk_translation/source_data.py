"""What a source of translations gives: parallel text in splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lsk_engine import InputError


@dataclass(frozen=True)
class ParallelText:
    """One split: line `i` of `target` translates line `i` of `source`.

    Attributes:
        source: The sentences.
        target: Their translations.
        right: All right translations of each, `target` among them; empty: nobody knows them.
    """

    source: Sequence[str]
    target: Sequence[str]
    right: Sequence[tuple[str, ...]] = ()

    def __post_init__(self):
        if len(self.source) != len(self.target):
            raise InputError(
                "Expected as many target as source lines. "
                f"Received: {len(self.source)} source and {len(self.target)} target lines"
            )

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class Corpus:
    """Parallel text in splits.

    Attributes:
        name: As the user called it.
        source_language: Language code.
        target_language: Language code.
        splits: "train", "validation" and "test"; further test sets under their own names. Each is
            read when it is asked for.
        notes: What a report should say about the data.
    """

    name: str
    source_language: str
    target_language: str
    splits: Mapping[str, ParallelText]
    notes: Sequence[str] = ()

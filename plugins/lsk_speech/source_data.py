"""What a source of speech gives: utterances in splits."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from lsk_engine.data.formats.ragged import Ragged


@dataclasses.dataclass(frozen=True)
class Speech:
    """One split.

    Attributes:
        rows: int16 samples `(samples,)` of each utterance, or its feature frames
            `(frames, features)`.
        texts: Normalized transcripts, each with a word at least.
        speakers: Who speaks; one name for all where that isn't known.
    """

    rows: Ragged
    texts: Sequence[str]
    speakers: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Speech":
        """Returns the utterances `rows` as a split of their own."""
        return Speech(
            self.rows.take(rows), [self.texts[i] for i in rows], [self.speakers[i] for i in rows]
        )


@dataclasses.dataclass(frozen=True)
class SpeechSource:
    """Utterances in splits.

    Attributes:
        splits: `train`, `validation`, `test` and, where there are, further test sets; where they
            take long to read, each is when it is asked for.
        sample_rate: Samples a second; `None`: the rows are feature frames, 10 ms apart.
        notes: What a report should say about the data.
    """

    splits: Mapping[str, Speech]
    sample_rate: int | None
    notes: Sequence[str] = ()

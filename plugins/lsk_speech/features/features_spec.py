"""What a model hears: samples, or features of which kind. It is kept with each run."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from ls_base.errors import LsKerasError
from ls_base.records import Record, decode_record
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged
from lsk_speech.config import DataConfig
from lsk_speech.corpora.recordings import IN_MEMORY, Streamed
from lsk_speech.source_data import Speech

SOUND_FILE = "sound.json"


@dataclasses.dataclass(frozen=True)
class Sound:
    """How recordings, or ready features, become a model's input.

    Attributes:
        input: `waveform`, `log-mel` or `features`, which somebody else has computed.
        sample_rate: Samples a second of recordings; `None` with `features`.
        num_mel_bins: Mel bands of `log-mel`.
        deltas: Whether features get their first and second differences.
        by_speaker: Whether features are normalized over all frames of a speaker.
    """

    input: str
    sample_rate: int | None
    num_mel_bins: int
    deltas: bool
    by_speaker: bool

    @classmethod
    def of(cls, options: DataConfig, sample_rate: int | None) -> "Sound":
        """Returns what the options make of recordings (or, without a rate, of features).

        Raises:
            InputError: If waveforms are to be normalized by speaker.
        """
        by_speaker = options.normalization == "speaker"
        kind = "features" if sample_rate is None else options.input
        if by_speaker and kind == "waveform":
            raise InputError(
                "Expected data.input=log-mel with data.normalization=speaker, since a model hears "
                f"one utterance at a time. Received: data.input={options.input}"
            )
        return cls(kind, sample_rate, options.num_mel_bins, options.deltas, by_speaker)

    @classmethod
    def from_artifacts(cls, artifacts: Mapping[str, bytes]) -> "Sound":
        """Returns what the model of a run hears.

        Raises:
            LsKerasError: If the run doesn't say, or not what can be.
        """
        if SOUND_FILE not in artifacts:
            raise LsKerasError(f"Expected {SOUND_FILE} of a run. Received: none")
        stored = decode_record(artifacts[SOUND_FILE], _Stored, SOUND_FILE, error=InputError)
        if (stored.input == "features") != (stored.sample_rate is None):
            raise InputError(
                f"Expected a sample_rate in {SOUND_FILE}, but none of ready features. "
                f"Received: {stored.sample_rate} with input {stored.input!r}"
            )
        return cls(**stored.to_dict())

    @property
    def artifacts(self) -> dict[str, bytes]:
        """The file that `from_artifacts` reads."""
        return {SOUND_FILE: json.dumps(dataclasses.asdict(self)).encode()}

    @property
    def heard_rate(self) -> int | None:
        """Samples a second of what the model hears; `None`: it hears feature frames."""
        return self.sample_rate if self.input == "waveform" else None

    def hear(self, speech: Speech) -> Speech:
        """Turns recordings, or ready features, into what the model hears."""
        if self.input == "waveform":
            return speech
        from lsk_speech.features.compute import (
            StreamedFeatures,
            log_mel,
            normalized_by_speaker,
            with_deltas,
        )

        rows = speech.rows
        if isinstance(rows, Streamed) and self.sample_rate is not None:
            heard = StreamedFeatures(rows, self.sample_rate, self.num_mel_bins, self.deltas)
            if heard.bytes > IN_MEMORY:
                if self.by_speaker:
                    raise InputError(
                        "Expected data.normalization=utterance or none of recordings whose "
                        f"features take more than {IN_MEMORY:,} bytes: all frames of a speaker are "
                        "normalized together. Received: data.normalization=speaker"
                    )
                return dataclasses.replace(speech, rows=heard)
            rows = Ragged(*heard.flattened())  # in order: some files have no other
        elif self.sample_rate is not None:
            rows = log_mel(rows, self.sample_rate, self.num_mel_bins, self.deltas)
        elif self.deltas:
            rows = with_deltas(rows)
        speech = dataclasses.replace(speech, rows=rows)
        return normalized_by_speaker(speech) if self.by_speaker else speech


class _Stored(Record, frozen=True):
    input: Literal["waveform", "log-mel", "features"]
    sample_rate: Annotated[int, msgspec.Meta(ge=1000, le=400_000)] | None
    num_mel_bins: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    deltas: bool
    by_speaker: bool

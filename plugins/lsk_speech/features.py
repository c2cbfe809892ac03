"""The model's input, samples or features, and features computed while data are loaded."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal, cast

import msgspec
import numpy as np
from keras import ops

from ls_base.errors import LsKerasError
from ls_base.records import Record, decode_record
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged, row_offsets
from lsk_speech.config import DataConfig
from lsk_speech.corpora.recordings import IN_MEMORY, LazyRows
from lsk_speech.network.frontend import LogMel, differences
from lsk_speech.source_data import Speech

SOUND_FILE = "sound.json"


@dataclasses.dataclass(frozen=True)
class Sound:
    """How recordings or precomputed features become the model's input; stored with each run.

    Attributes:
        input: `waveform`, `log-mel` or `features` (precomputed).
        sample_rate: Samples per second of recordings; `None` with `features`.
        num_mel_bins: Number of mel filters of `log-mel`.
        deltas: Whether first and second differences are appended to features.
        by_speaker: Whether features are normalized over all frames of a speaker.
    """

    input: str
    sample_rate: int | None
    num_mel_bins: int
    deltas: bool
    by_speaker: bool

    @classmethod
    def from_options(cls, options: DataConfig, sample_rate: int | None) -> "Sound":
        """Builds it from settings, for recordings of a sample rate or (`None`) for features.

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
        """Restores that of a run.

        Raises:
            LsKerasError: If it is missing or damaged.
        """
        if SOUND_FILE not in artifacts:
            raise LsKerasError(f"Expected {SOUND_FILE} of a run. Received: none")
        stored = decode_record(artifacts[SOUND_FILE], _Stored, SOUND_FILE, error=InputError)
        if (stored.input == "features") != (stored.sample_rate is None):
            raise InputError(
                f"Expected a sample_rate in {SOUND_FILE}, but none of precomputed features. "
                f"Received: {stored.sample_rate} with input {stored.input!r}"
            )
        return cls(**stored.to_dict())

    @property
    def artifacts(self) -> dict[str, bytes]:
        """The file that `from_artifacts` reads."""
        return {SOUND_FILE: json.dumps(dataclasses.asdict(self)).encode()}

    @property
    def heard_rate(self) -> int | None:
        """Sample rate of the model's input; `None` for feature frames."""
        return self.sample_rate if self.input == "waveform" else None

    def hear(self, speech: Speech) -> Speech:
        """Turns recordings or precomputed features into the model's input."""
        if self.input == "waveform":
            return speech
        rows = speech.rows
        if isinstance(rows, LazyRows) and self.sample_rate is not None:
            heard = StreamedFeatures(rows, self.sample_rate, self.num_mel_bins, self.deltas)
            if heard.bytes > IN_MEMORY:
                if self.by_speaker:
                    raise InputError(
                        "Expected data.normalization=utterance or none of recordings whose "
                        f"features take more than {IN_MEMORY:,} bytes: all frames of a speaker are "
                        "normalized together. Received: data.normalization=speaker"
                    )
                return dataclasses.replace(speech, rows=heard)
            rows = Ragged(*heard.flattened())  # in order: some files have no random access
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


_BATCH = 64  # largest number of utterances per batch
_FRAMES = 1 << 17  # largest number of frames per batch: 64 × 20 s, about 10 KiB each
_STEP = 100  # frames that lengths are rounded up to, since some backends compile each shape


def log_mel(audio: Ragged, sample_rate: int, num_mel_bins: int, deltas: bool) -> Ragged:
    """Returns the log-mel features of recordings.

    Args:
        audio: int16 samples.
        sample_rate: Samples per second.
        num_mel_bins: Number of mel filters.
        deltas: Whether to append first and second differences.

    Returns:
        float16 `(frames, features)` for each: rounding errors are below a hundredth.
    """
    layer = LogMel(sample_rate, num_mel_bins, deltas=deltas)
    lengths = -(-audio.lengths // layer.hop)

    def compute(rows: np.ndarray, size: int):
        samples = audio.padded(rows, size * layer.hop, np.float32) / np.float32(32768)
        return layer(samples, lengths[rows].astype(np.int32))

    return _by_batches(lengths, layer.features, np.float16, compute)


class StreamedFeatures(LazyRows):
    """Log-mel features of recordings that do not fit in memory, computed for each batch.

    Args:
        audio: The recordings.
        sample_rate: Samples per second.
        num_mel_bins: Number of mel filters.
        deltas: Whether to append first and second differences.
    """

    def __init__(self, audio: LazyRows, sample_rate: int, num_mel_bins: int, deltas: bool):
        self._audio, self._layer = audio, LogMel(sample_rate, num_mel_bins, deltas=deltas)
        lengths = -(-audio.lengths // self._layer.hop)
        super().__init__(lengths, np.zeros((0, self._layer.features), np.float16))

    def take(self, rows: np.ndarray) -> "StreamedFeatures":
        """Returns the features of the recordings `rows`."""
        taken = cast(StreamedFeatures, super().take(rows))
        taken._audio = self._audio.take(rows)
        return taken

    def make(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the frames of recordings."""
        decoded = self._audio.make(rows)  # decoded ahead of the features
        for chosen, size in _batches(self.lengths[rows]):
            lengths = self.lengths[rows[chosen]]
            samples = np.zeros((len(lengths), size * self._layer.hop), np.float32)
            for target, found in zip(samples, decoded, strict=False):
                target[: len(found)] = found
            samples /= np.float32(32768)
            found = ops.convert_to_numpy(self._layer(samples, lengths.astype(np.int32)))
            for frames, length in zip(found, lengths, strict=True):
                yield frames[:length].astype(np.float16)


def with_deltas(features: Ragged) -> Ragged:
    """Appends first and second differences to features."""
    lengths = features.lengths

    def compute(rows: np.ndarray, size: int):
        x, ends = features.padded(rows, size), lengths[rows].astype(np.int32)
        first = differences(x, ends)
        return ops.concatenate([x, first, differences(first, ends)], axis=-1)

    return _by_batches(lengths, 3 * features.values.shape[1], features.values.dtype, compute)


def normalized_by_speaker(speech: Speech) -> Speech:
    """Gives each feature mean 0 and variance 1 over all frames of each speaker in the split."""
    rows = speech.rows
    values = np.empty((int(rows.lengths.sum()), rows.values.shape[1]), rows.values.dtype)
    out = Ragged(values, row_offsets(rows.lengths))
    for members in _groups(speech.speakers):
        frames = np.concatenate([rows[i] for i in members]).astype(np.float32)
        normalized = (frames - frames.mean(0)) / np.sqrt(frames.var(0) + 1e-5)
        cuts = np.cumsum(rows.lengths[members])[:-1]
        for i, part in zip(members, np.split(normalized, cuts), strict=True):
            out[i][:] = part
    return dataclasses.replace(speech, rows=out)


def _groups(speakers) -> list[np.ndarray]:
    _, numbers = np.unique(np.asarray(speakers), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1])


def _by_batches(lengths: np.ndarray, width: int, dtype, compute: Callable) -> Ragged:
    """Computes rows in batches of similar length; `compute(rows, size)` gives them padded."""
    out = Ragged(np.empty((int(lengths.sum()), width), dtype), row_offsets(lengths))
    order = np.argsort(lengths, kind="stable")
    for chosen, size in _batches(lengths[order]):
        rows = order[chosen]
        count = max(1, min(_BATCH, _FRAMES // max(size, 1)))
        filled = np.concatenate([rows, np.repeat(rows[:1], count - len(rows))])
        batch = ops.convert_to_numpy(compute(filled, size))
        for row, computed in zip(rows, batch, strict=False):
            out[row][:] = computed[: lengths[row]]
    return out


def _batches(lengths: np.ndarray) -> Iterator[tuple[slice, int]]:
    """Yields slices of consecutive rows that form a batch, and the length to pad them to."""
    sizes = -(-lengths // _STEP) * _STEP
    start = 0
    while start < len(sizes):
        longest = np.maximum.accumulate(sizes[start : start + _BATCH])
        count = max(1, int((np.arange(1, len(longest) + 1) * longest <= _FRAMES).sum()))
        yield slice(start, start + count), int(longest[count - 1])
        start += count

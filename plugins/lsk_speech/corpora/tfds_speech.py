"""Utterances from TensorFlow Datasets that are prepared on this machine."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.data.formats.tfds import find_split, missing_split, open_builder, read_split
from lsk_engine.data.lazy import LazySplits
from lsk_engine.data.splits import SPLIT_NAMES
from lsk_speech.config import DataConfig
from lsk_speech.corpora.recordings import (
    IN_MEMORY,
    LazyRows,
    check_samples,
    in_threads,
    resample,
    to_int16,
)
from lsk_speech.source_data import Speech, SpeechSource, checked_texts


class StoredExamples:
    """The examples of some TFDS splits, which are read again when a batch needs them.

    Args:
        builder: The data set.
        names: Its splits, which are concatenated.
        read: Returns the samples of an example, given the example and its name in an error.
    """

    def __init__(
        self,
        builder,
        names: Sequence[str],
        read: Callable[[Mapping[str, Any], str], np.ndarray],
    ):
        self.builder, self.names, self.read = builder, names, read
        self._sources: list | None = None
        if builder.info.file_format.value == "array_record":
            self._sources = [builder.as_data_source(name) for name in names]
            self._ends = np.cumsum([len(source) for source in self._sources])

    def all(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Yields every example and its name in an error."""
        for name in self.names:
            for i, example in enumerate(read_split(self.builder, name)):
                yield example, self._called(name, i)

    def samples(self, row: int) -> np.ndarray:
        """Returns the samples of one example.

        Raises:
            InputError: If the files have no random access.
        """
        if self._sources is None:
            raise InputError(
                "Expected array_record files, which can be read row by row (`tfds build "
                f"{self.builder.name} --file_format=array_record`), or data that `lsk prepare` "
                f"wrote. Received: {self.builder.info.file_format.value} files of more than memory "
                "is to hold"
            )
        place = int(np.searchsorted(self._ends, row, side="right"))
        i = row - (int(self._ends[place - 1]) if place else 0)
        return self.read(self._sources[place][i], self._called(self.names[place], i))

    @property
    def by_row(self) -> bool:
        """Whether examples can be read in any order."""
        return self._sources is not None

    def _called(self, name: str, i: int) -> str:
        return f"example {i} of {name} in {self.builder.info.full_name}"


class StreamedExamples(LazyRows):
    """The resampled samples of stored examples.

    Args:
        stored: The examples.
        lengths: The number of samples of each.
    """

    def __init__(self, stored: StoredExamples, lengths: np.ndarray):
        self._stored, self._rows = stored, np.arange(len(lengths))
        super().__init__(lengths, np.zeros(0, np.int16))

    def take(self, rows: np.ndarray) -> "StreamedExamples":
        """Returns the examples `rows`."""
        taken = cast(StreamedExamples, super().take(rows))
        taken._rows = self._rows[rows]
        return taken

    def make(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields samples; files without random access are read through if rows are in order."""
        wanted = self._rows[rows]
        if self._stored.by_row or len(wanted) < 2 or (np.diff(wanted) <= 0).any():
            yield from in_threads(self._stored.samples, wanted)
            return
        left = iter(wanted.tolist())
        row = next(left)
        for i, (example, called) in enumerate(self._stored.all()):
            if i == row:
                yield self._stored.read(example, called)
                if (row := next(left, -1)) < 0:
                    return


# Names of each split, LibriSpeech's among them; all that exist for `train` are concatenated.
_TRAIN = (*SPLIT_NAMES["train"], "train_clean100", "train_clean360", "train_other500")
_HELD_OUT = {
    "validation": (*SPLIT_NAMES["validation"], "dev_clean"),
    "test": (*SPLIT_NAMES["test"], "test_clean"),
}
_FURTHER = ("test_other",)
_SOUND, _TEXT, _SPEAKER = ("speech", "audio"), ("text", "label"), ("speaker_id", "speaker")


def read_tfds(
    name: str, options: DataConfig, *, data_dir: str | Path | None = None
) -> SpeechSource:
    """Finds the splits of a prepared TFDS data set; nothing is downloaded.

    A split is read when it is first used: once for texts and lengths, and into memory if its 16-bit
    samples fit. Examples of a larger split are read again for each batch from array_record files;
    TFRecord files have no random access and can only be read in order, as `lsk prepare` does.

    Args:
        name: Such as `librispeech` or `speech_commands`, or with a version.
        options: The sample rate.
        data_dir: Folder of the data sets; default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
        InputError: If the data set is unknown, not prepared, has no such features or splits, or a
            recording cannot be used; it names the example.
    """
    builder = open_builder(
        name,
        extra="speech",
        expected="spoken-words, the path of a manifest, folder or .npz file, or the name of a "
        "TFDS data set",
        data_dir=data_dir,
    )
    keys = _keys(builder)
    found = {"train": [split for split in _TRAIN if split in builder.info.splits]}
    for split, candidates in _HELD_OUT.items():
        held_out = find_split(builder, candidates)
        found[split] = [held_out] if held_out else []
    for split, names in found.items():
        if not names:
            raise missing_split(builder, name, split)
    found |= {split: [split] for split in _FURTHER if split in builder.info.splits}
    loaders = {
        split: functools.partial(_read, builder, names, keys, options.sample_rate)
        for split, names in found.items()
    }
    notes = (f"TFDS {builder.info.full_name}",)
    return SpeechSource(LazySplits(loaders), options.sample_rate, notes)


def _keys(builder) -> tuple[str, str, str | None]:
    """Returns the keys of sound, text and, if there is one, speaker."""
    features = builder.info.features
    sound, text, speaker = (
        next((key for key in keys if key in features), None) for keys in (_SOUND, _TEXT, _SPEAKER)
    )
    if sound is None or text is None or not hasattr(features[sound], "sample_rate"):
        raise InputError(
            "Expected features speech or audio (with a sample rate) and text or label in the TFDS "
            f"data set {builder.name!r}. Received: {', '.join(features)}"
        )
    return sound, text, speaker


def _read(builder, names: list[str], keys: tuple[str, str, str | None], wanted: int) -> Speech:
    sound, text, speaker = keys
    rate = builder.info.features[sound].sample_rate
    if rate is None:
        raise InputError(
            f"Expected a sample rate of {sound!r} in the TFDS data set {builder.name!r}. "
            "Received: none"
        )

    def read(example: Mapping[str, Any], row: str) -> np.ndarray:
        checked = check_samples(_in_range(np.asarray(example[sound]), row), row)
        return to_int16(resample(checked, rate, wanted))

    stored = StoredExamples(builder, names, read)
    samples: list[np.ndarray] = []
    lengths, texts, speakers, rows = [], [], [], []
    size = 0
    for example, row in stored.all():
        if size <= IN_MEMORY:
            samples.append(read(example, row))
            size += samples[-1].nbytes
            lengths.append(len(samples[-1]))
        else:
            samples.clear()
            lengths.append(-(-np.size(example[sound]) * wanted // rate))
        texts.append(_as_text(example[text], builder.info.features[text]))
        speakers.append(str(example[speaker]) if speaker else "")
        rows.append(row)
    if not rows:
        raise InputError(
            f"Expected examples in {', '.join(names)} of {builder.name!r}. Received: none"
        )
    if size <= IN_MEMORY:
        return Speech(Ragged.of(samples), checked_texts(texts, rows), speakers)
    streamed = StreamedExamples(stored, np.array(lengths))
    return Speech(streamed, checked_texts(texts, rows), speakers)


def _in_range(samples: np.ndarray, row: str) -> np.ndarray:
    """Returns samples in ±1; integers are 16-bit samples, whatever their dtype."""
    if samples.ndim != 1:
        raise InputError(f"Expected mono samples. Received: shape {samples.shape} in {row}")
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype(np.float32) / 32768
    return samples.astype(np.float32)


def _as_text(value, feature) -> str:
    names = getattr(feature, "names", None)
    if names:  # a class label
        return names[int(value)]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)

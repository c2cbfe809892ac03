"""Loads utterances and encodes their transcripts; reads and writes prepared speech data."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.process import num_cores
from lsk_engine import Config, Examples, InputError, TaskData
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.data.lazy import LazyNotes, LazySplits, lazy_array
from lsk_engine.data.prepared.prepared_data import PreparedData
from lsk_engine.data.prepared.split_files import read_artifacts, read_splits, write_splits
from lsk_engine.data.splits import splits_to_score
from lsk_engine.settings.source_spec import path_or_name
from lsk_speech.config import DataConfig
from lsk_speech.corpora.digit_strings import holds_digits, read_digit_strings
from lsk_speech.corpora.own_files import read_features, read_manifest
from lsk_speech.corpora.recordings import LazyRows
from lsk_speech.corpora.spoken_words import load_spoken_words
from lsk_speech.corpora.stored_speech import read_speech, write_speech
from lsk_speech.corpora.tfds_speech import read_tfds
from lsk_speech.features import SOUND_FILE, Sound
from lsk_speech.source_data import Speech, SpeechSource
from lsk_speech.units import (
    END_ID,
    PAD_ID,
    START_ID,
    SUBWORDS_FILE,
    UNITS_FILE,
    UNKNOWN_ID,
    UNUSED,
    Units,
    load_units,
    make_units,
)


def load_source(
    options: DataConfig, *, data_dir: str | Path | None = None, new: bool = False
) -> SpeechSource:
    """Opens utterances by name.

    Args:
        options: The source, and how utterances are drawn or generated.
        data_dir: Folder of TFDS data; default `TFDS_DATA_DIR`, then TFDS's own.
        new: Whether the data are for a finished run; then nothing is held out.

    Raises:
        InputError: If there are no such data, or they are damaged; it names the file and row.
    """
    found = path_or_name(options.source)
    digits = False
    if isinstance(found, Path) and found.is_dir():
        digits = not (found / "manifest.tsv").is_file() and holds_digits(found)
    if options.held_out_speaker is not None and not digits and not new:
        raise InputError(
            "Expected data.held_out_speaker with a folder of digits only; for other recordings, "
            "use the column split of their manifest. "
            f"Received: {options.held_out_speaker!r} with {options.source}"
        )
    if options.source == "spoken-words":
        return load_spoken_words(options)
    if isinstance(found, Path):
        return read_digit_strings(found, options) if digits else _read_path(found, options, new)
    return read_tfds(found, options, data_dir=data_dir)


def _read_path(path: Path, options: DataConfig, new: bool) -> SpeechSource:
    if path.suffix == ".npz" and path.is_file():
        return read_features(path, options, new=new)
    manifest = path / "manifest.tsv" if path.is_dir() else path
    if not manifest.is_file():
        what = "a folder with none of them" if path.is_dir() else "no such file"
        raise InputError(
            "Expected a manifest (.tsv), a folder with manifest.tsv or recordings of digits, or "
            f"an .npz file of features. Received: {path}, {what}"
        )
    return read_manifest(manifest, options, new=new)


FRAMES_PER_SECOND = 100


class Utterances(Examples):
    """Utterances of one split.

    A batch's inputs are `audio` (float samples in ±1) or `features`, `length` (valid frames, 10 ms
    apart) and `target` (start, then units); its labels are units, then end. `sizes` are frames.
    The padded number of units depends only on the batch's size and the split, for few shapes.

    Args:
        speech: The utterances.
        tokens: The ids of their transcripts.
        sample_rate: Sample rate of `speech`; `None` if it has feature frames.
    """

    def __init__(self, speech: Speech, tokens: Ragged, sample_rate: int | None):
        self.speech, self.tokens, self.sample_rate = speech, tokens, sample_rate
        self.references, self.speakers = speech.texts, speech.speakers
        self.sizes: np.ndarray = frames_of(speech.rows, sample_rate)
        order: np.ndarray = np.argsort(self.sizes, kind="stable")
        self._sorted_sizes: np.ndarray = self.sizes[order]
        self._longest = np.maximum.accumulate(tokens.lengths[order] + 1)
        if isinstance(speech.rows, LazyRows):
            self.workers = num_cores()

    @property
    def feature_size(self) -> int | None:
        """Features per frame; `None` for samples."""
        return self.speech.rows.values.shape[1] if self.sample_rate is None else None

    def take(self, rows: np.ndarray) -> "Utterances":
        """Returns a subset as a split."""
        return Utterances(self.speech.take(rows), self.tokens.take(rows), self.sample_rate)

    def __len__(self) -> int:
        return len(self.sizes)

    def gather(
        self, rows: np.ndarray, size: int | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the padded inputs and labels of `rows`."""
        size = int(self.sizes[rows].max()) if size is None else size
        labels = self.tokens.padded(rows, self.target_length(size), np.int32, end=END_ID)
        target = np.concatenate([np.full((len(rows), 1), START_ID, np.int32), labels[:, :-1]], 1)
        target[target == END_ID] = PAD_ID  # nothing is predicted after the end
        return {**self.sound(rows, size), "target": target}, labels

    def sound(self, rows: np.ndarray, size: int) -> dict[str, np.ndarray]:
        """Returns the inputs of `rows` without `target`."""
        return padded_sound(self.speech.rows, self.sample_rate, rows, size)

    def target_length(self, size: int) -> int:
        """Returns the padded number of units, end included, of batches of `size` frames."""
        last = int(np.searchsorted(self._sorted_sizes, size, side="right")) - 1
        return int(self._longest[max(last, 0)])

    def label_counts(self) -> np.ndarray:
        """Returns the numbers of units, end tokens included."""
        return self.tokens.lengths + 1


def padded_sound(
    sound: Ragged, sample_rate: int | None, rows: np.ndarray, size: int
) -> dict[str, np.ndarray]:
    """Returns the padded inputs `audio` or `features`, and `length`.

    Args:
        sound: int16 samples, or features.
        sample_rate: Sample rate of samples; `None` for features.
        rows: Rows of utterances.
        size: Frames to pad them to.
    """
    length = frames_of(sound, sample_rate)[rows].astype(np.int32)
    if sample_rate is None:
        return {"features": sound.padded(rows, size, np.float32), "length": length}
    audio = sound.padded(rows, size * _hop(sample_rate), np.float32)
    audio /= 32768
    return {"audio": audio, "length": length}


def frames_of(sound: Ragged, sample_rate: int | None) -> np.ndarray:
    """Returns the number of frames of each utterance; the last one may be partial."""
    return -(-sound.lengths // _hop(sample_rate))


def _hop(sample_rate: int | None) -> int:
    return 1 if sample_rate is None else sample_rate // FRAMES_PER_SECOND


def load(config: Config, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Loads utterances, builds units (or restores those of `artifacts`), encodes transcripts."""
    options = config.data
    source = load_source(options)
    notes = []

    @functools.cache
    def training() -> tuple[Speech, Sequence[str]]:
        return _training_utterances(source.splits["train"], source.sample_rate, options)

    sound = Sound.from_options(options, source.sample_rate)
    if artifacts is None:
        units = make_units(options.units, training()[0].texts, options.vocabulary_size)
        if options.units == "subwords" and units.size != options.vocabulary_size:
            notes.append(
                f"the training transcripts yield {units.size} sub-words, "
                f"not {options.vocabulary_size}"
            )
    else:
        units = load_units(artifacts)

    def load_split(name: str) -> Utterances:
        speech = training()[0] if name == "train" else source.splits[name]
        return encoded(sound.hear(speech), units, sound.heard_rate)

    names = sorted(source.splits, key=_place)
    examples = LazySplits({name: functools.partial(load_split, name) for name in names})
    kind = "characters" if options.units == "subwords" else options.units

    def all_notes() -> Iterator[str]:
        yield from (*source.notes, *training()[1], *notes, *_unknown(examples, kind))

    return task_data(examples, units, sound, LazyNotes(all_notes))


def load_new(config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
    """Loads new utterances for a finished run, with the run's units; none is left out."""
    options = config.data
    source = load_source(options, new=True)
    units, sound = load_units(artifacts), Sound.from_options(options, source.sample_rate)
    if sound.artifacts != Sound.from_artifacts(artifacts).artifacts:
        raise InputError(
            "Expected the kind of data the run was trained on, recordings or features. "
            f"Received: {options.source} of the other kind"
        )

    def load_split(name: str) -> Utterances:
        return encoded(sound.hear(source.splits[name]), units, sound.heard_rate)

    names = sorted(source.splits, key=_place)
    examples = LazySplits({name: functools.partial(load_split, name) for name in names})
    scored = [name for name in names if name != "train"] or names

    def all_notes() -> Iterator[str]:
        yield from (*source.notes, *_unknown({name: examples[name] for name in scored}))

    return task_data(splits_to_score(examples), units, sound, LazyNotes(all_notes))


def _unknown(examples: Mapping[str, "Utterances"], kind: str = "units") -> list[str]:
    """Returns notes on units that training did not have."""
    counts = {
        name: int(np.count_nonzero(split.tokens.values == UNKNOWN_ID))
        for name, split in examples.items()
    }
    return [
        f"{name}: {unknown:,} {kind} that training doesn't have"
        for name, unknown in counts.items()
        if unknown
    ]


def encoded(speech: Speech, units: Units, sample_rate: int | None) -> Utterances:
    """Encodes the transcripts of utterances."""
    tokens = Ragged.of(units.encode(text) for text in speech.texts)
    return Utterances(speech, tokens, sample_rate)


def task_data(
    splits: Mapping[str, Examples], units: Units, sound: Sound, notes: Sequence[str]
) -> TaskData:
    """Builds the task data of the splits."""

    def count() -> np.ndarray:
        train: Any = splits["train"]
        tokens, _ = train.tokens.flattened()
        counts = np.bincount(tokens, minlength=units.size)
        counts[END_ID] += len(train)
        return counts

    return TaskData(
        splits=splits,
        num_classes=units.size,
        ignore_class=PAD_ID,
        class_names=units.names,
        class_counts=lazy_array(count),
        unused_classes=UNUSED,
        artifacts={**units.artifacts, **sound.artifacts},
        notes=notes,
    )


def _place(name: str) -> tuple[int, str]:
    """Returns the sort key of a split; further test sets come last."""
    names = ("train", "validation", "test")
    return (names.index(name) if name in names else len(names), name)


def _training_utterances(
    train: Speech, sample_rate: int | None, options: DataConfig
) -> tuple[Speech, Sequence[str]]:
    """Leaves out utterances that are too long, or more than `max_train_examples`."""
    rate = FRAMES_PER_SECOND if sample_rate is None else sample_rate
    seconds = train.rows.lengths / rate
    kept = np.flatnonzero(seconds <= options.max_seconds)
    if not len(kept):
        raise InputError(
            f"Expected training utterances of at most data.max_seconds={options.max_seconds:g} s. "
            f"Received: none, the shortest lasts {seconds.min():.1f} s"
        )
    notes = []
    if len(kept) < len(train):
        notes.append(
            f"{len(train) - len(kept):,} training utterances over {options.max_seconds:g} s unused"
        )
    wanted = options.max_train_examples
    if wanted is not None and wanted < len(kept):
        rng = np.random.default_rng(options.split_seed)
        notes.append(f"train: {wanted:,} of {len(kept):,} utterances, drawn at random")
        kept = np.sort(rng.permutation(kept)[:wanted])
    return (train.take(kept) if len(kept) < len(train) else train), notes


def write_prepared(data: TaskData, directory: Path) -> None:
    """Writes loaded data into a folder: artifacts, and samples or features of each split."""
    write_splits(data, directory, _write_utterances)


def load_prepared(prepared: PreparedData, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Opens prepared data.

    Args:
        prepared: The folder that `write_prepared` wrote.
        artifacts: The artifacts of the run that uses the data, which must be the same; `None` for
            a new run.
    """
    names = (UNITS_FILE, SUBWORDS_FILE, SOUND_FILE)
    stored = read_artifacts(prepared, names, artifacts, what="other units or features")
    units, sound = load_units(stored), Sound.from_artifacts(stored)
    splits = read_splits(
        prepared, lambda files: encoded(read_speech(files), units, sound.heard_rate)
    )
    return task_data(splits, units, sound, prepared.notes)


def _write_utterances(examples: Examples, folder: Path) -> None:
    if not isinstance(examples, Utterances):
        raise InputError(f"Expected utterances. Received: {type(examples).__name__}")
    write_speech(examples.speech, folder)

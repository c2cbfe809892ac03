"""Recordings of single digits, joined into strings: the Free Spoken Digit Dataset.

A folder of files `DIGIT_SPEAKER_NUMBER.wav`, or with a `.zip` of them, or with `recordings/`.
"""

import contextlib
import functools
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ls_base.errors import LsKerasError, reason
from ls_base.safe_open import check_unpacked, open_regular
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged
from lsk_speech.config import DataConfig
from lsk_speech.corpora.recordings import read_recording
from lsk_speech.source_data import Speech, SpeechSource

DEFAULT_STRINGS, HELD_OUT = 4000, 300
DIGITS = "zero one two three four five six seven eight nine".split()  # noqa: SIM905
LONGEST_GAP = 0.15  # seconds of silence between two digits
_NAME = re.compile(r"(?:.*/)?(\d)_([^_/]+)_(\d+)\.wav")
# By a recording's number: 0 to 4 is the data set's own test split, then follows validation.
_TEST, _VALIDATION = range(5), range(5, 10)

Pool = dict[str, list[tuple[str, np.ndarray]]]  # by speaker: the word, the samples


def holds_digits(folder: Path) -> bool:
    """Returns whether a folder has recordings of digits, loose or in a `.zip`."""
    return any(True for _ in _recordings(folder))


def read_digit_strings(folder: Path, options: DataConfig) -> SpeechSource:
    """Reads recordings and joins digits of one speaker, with gaps of up to 0.15 s.

    No recording is in two splits, and the recordings of a speaker are used equally often, give or
    take one. With `held_out_speaker`, the test split has all recordings of that speaker, and no
    other split has any.

    Args:
        folder: The folder.
        options: Number and length of strings, seed, and the held-out speaker.

    Raises:
        InputError: If a recording cannot be used, or a split would be empty.
    """
    pools: dict[str, Pool] = {name: defaultdict(list) for name in ("train", "validation", "test")}
    speakers = set()
    for name, digit, speaker, number, read in _recordings(folder):
        speakers.add(speaker)
        samples = read_recording(read(), options.sample_rate, name)
        split = _split(speaker, number, options.held_out_speaker)
        pools[split][speaker].append((DIGITS[digit], samples))
    held_out = options.held_out_speaker
    if held_out is not None and held_out not in speakers:
        raise InputError(
            f"Expected data.held_out_speaker to be one of {', '.join(sorted(speakers))}. "
            f"Received: {held_out!r}"
        )
    splits, notes = {}, []
    for i, (split, pool) in enumerate(pools.items()):
        if not pool:
            raise InputError(
                f"Expected recordings for the {split} split (numbers 0 to 4 are test, 5 to 9 "
                f"validation). Received: none in {folder}"
            )
        count = HELD_OUT if split != "train" else options.max_train_examples or DEFAULT_STRINGS
        rng = np.random.default_rng([options.split_seed, i])
        splits[split] = _strings(pool, count, options, rng)
        recordings = sum(map(len, pool.values()))
        notes.append(
            f"{split}: {count:,} strings joined from {recordings:,} recordings of digits by "
            f"{', '.join(sorted(pool))}"
        )
    if unread := sorted(file.name for file in folder.glob("*.tsv")):
        notes.append(
            f"not read: {', '.join(unread)}; the file names give the digits. To read a table with "
            f"the columns file and text, pass it as data.source: {folder / unread[0]}"
        )
    return SpeechSource(splits, options.sample_rate, tuple(notes))


def _split(speaker: str, number: int, held_out: str | None) -> str:
    if held_out is not None:
        if speaker == held_out:
            return "test"
        return "validation" if number in _TEST else "train"
    if number in _TEST:
        return "test"
    return "validation" if number in _VALIDATION else "train"


def _recordings(folder: Path) -> Iterator:
    """Yields the name, digit, speaker and number of each recording, and a function to read it."""
    for where in (folder, folder / "recordings"):
        for file in sorted(where.glob("*.wav")):
            if match := _NAME.fullmatch(file.name):
                yield str(file), *_parts(match), lambda file=file: file
    for file in sorted(folder.glob("*.zip")):
        with open_regular(file, error=InputError) as opened, _readable(file):
            archive = zipfile.ZipFile(opened)
            for name in sorted(archive.namelist()):
                if match := _NAME.fullmatch(name):
                    read = functools.partial(_unpacked, archive, name, file)
                    yield f"{file}/{name}", *_parts(match), read


def _unpacked(archive: zipfile.ZipFile, name: str, file: Path) -> bytes:
    with _readable(file):
        size = archive.getinfo(name).file_size
        check_unpacked(f"{file}/{name}", file.stat().st_size, size, error=InputError)
        return archive.read(name)


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turns the exceptions of damaged archives into an `InputError`."""
    try:
        yield
    except LsKerasError:
        raise
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(
            f"Expected a .zip of recordings. Received: {file}: {reason(error)}"
        ) from error


def _parts(match: re.Match) -> tuple[int, str, int]:
    return int(match[1]), match[2], int(match[3])


def _strings(pool: Pool, count: int, options: DataConfig, rng: np.random.Generator) -> Speech:
    names = sorted(pool)
    # Endless: a speaker's recordings in one random order after another.
    decks = {name: _shuffled(pool[name], rng) for name in names}
    rows, texts, speakers = [], [], []
    for _ in range(count):
        speaker = names[rng.integers(len(names))]
        parts, words = [], []
        for position in range(rng.integers(options.min_words, options.max_words + 1)):
            if position:
                gap = int(rng.integers(int(LONGEST_GAP * options.sample_rate) + 1))
                parts.append(np.zeros(gap, np.int16))
            word, samples = next(decks[speaker])
            words.append(word)
            parts.append(samples)
        rows.append(np.concatenate(parts))
        texts.append(" ".join(words))
        speakers.append(speaker)
    return Speech(Ragged.of(rows), texts, speakers)


def _shuffled(recordings: list, rng: np.random.Generator) -> Iterator:
    while True:
        for i in rng.permutation(len(recordings)):
            yield recordings[i]

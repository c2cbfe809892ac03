"""Recordings: read from WAV or FLAC, checked, resampled, and decoded when a batch needs them."""

import abc
import concurrent.futures
import contextlib
import io
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from ls_base.errors import MissingExtraError
from ls_base.process import num_cores
from ls_base.safe_open import check_unpacked, is_regular, open_regular
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged, row_offsets

_RATES = 1_000, 400_000  # samples per second; others would need filters of any length
_STREAMED = 0x7FFFFF00  # bytes; a header written before the samples may claim more
_LARGEST = 2.0  # of float samples: a little over 1 is clipped, more has another scale


def read_recording(file: Path | bytes, sample_rate: int, name: str) -> np.ndarray:
    """Reads one recording.

    Args:
        file: A file that libsndfile reads, such as WAV or FLAC, or its content.
        sample_rate: Samples per second to resample to.
        name: Its name in an error.

    Returns:
        int16 `(samples,)`.

    Raises:
        InputError: If it cannot be read, is not mono, is empty, or has 8-bit samples, samples that
            are not finite or far beyond ±1, or an impossible length or rate.
    """
    with _opened(file, name) as sound:
        rate, samples = sound.samplerate, sound.read(dtype="float32")
        if len(samples) != sound.frames:
            raise InputError(
                f"Expected {sound.frames:,} samples, as the file's header says. "
                f"Received: {name}, with {len(samples):,}"
            )
    return to_int16(resample(check_samples(samples, name), rate, sample_rate))


def recorded_length(file: Path | bytes, sample_rate: int, name: str) -> int:
    """Returns the number of samples that `read_recording` returns, from the file's header.

    Args:
        file: As for `read_recording`.
        sample_rate: As for `read_recording`.
        name: As for `read_recording`.

    Raises:
        InputError: As for `read_recording`, as far as the header shows it.
    """
    with _opened(file, name) as sound:
        if not sound.frames:
            check_samples(np.zeros(0), name)
        return -(-sound.frames * sample_rate // sound.samplerate)


@contextlib.contextmanager
def _opened(file: Path | bytes, name: str) -> Iterator:
    """Opens a recording after checking its header."""
    soundfile = _soundfile()
    if isinstance(file, Path) and not is_regular(file):
        what = "not a file" if file.exists() else "no such file"
        raise InputError(f"Expected a recording. Received: {name}: {what}")
    size = len(file) if isinstance(file, bytes) else file.stat().st_size
    _check_whole(file, size, name)
    try:
        with soundfile.SoundFile(io.BytesIO(file) if isinstance(file, bytes) else file) as sound:
            if not _RATES[0] <= sound.samplerate <= _RATES[1]:
                raise InputError(
                    f"Expected {_RATES[0]:,} to {_RATES[1]:,} samples a second. "
                    f"Received: {name}, with {sound.samplerate:,}"
                )
            # A header may claim any length; 4 bytes per sample as float32.
            check_unpacked(name, size, 4 * sound.frames * sound.channels, error=InputError)
            if sound.channels != 1:
                raise InputError(
                    f"Expected a mono recording. Received: {name}, with {sound.channels} channels"
                )
            if sound.subtype in ("PCM_U8", "PCM_S8"):
                raise InputError(
                    f"Expected samples of 16 bits or more. Received: {name}, with 8-bit samples"
                )
            yield sound
    except (soundfile.SoundFileError, OSError) as error:
        reason = getattr(error, "error_string", None) or error
        raise InputError(f"Expected a WAV or FLAC recording. Received: {name}: {reason}") from error


def _check_whole(file: Path | bytes, size: int, name: str) -> None:
    """Refuses a truncated WAV file, which libsndfile would read to its end."""
    if isinstance(file, bytes):
        start = file[:8]
    else:
        with open_regular(file, error=InputError) as content:
            start = content.read(8)
    if start[:4] == b"RIFF" and len(start) == 8:
        claimed = 8 + int.from_bytes(start[4:], "little")
        if size + 1 < claimed < _STREAMED:  # one byte of padding may be missing
            raise InputError(
                f"Expected {claimed:,} bytes of a WAV recording, as its header says. "
                f"Received: {name}, with {size:,}"
            )


def check_samples(samples: np.ndarray, name: str) -> np.ndarray:
    """Returns float samples `(n,)`.

    Raises:
        InputError: If there are none, or some are not finite or far beyond ±1.
    """
    if not len(samples):
        raise InputError(f"Expected at least one sample. Received: {name}, with 0 samples")
    wrong = np.flatnonzero(~np.isfinite(samples))
    if len(wrong):
        raise InputError(
            f"Expected finite samples. Received: {name}, with {samples[wrong[0]]} at sample "
            f"{wrong[0]} ({len(wrong)} in all)"
        )
    largest = np.abs(samples).max()
    if largest > _LARGEST:
        raise InputError(
            f"Expected samples from -1 to 1. Received: {name}, with one of size {largest:g}"
        )
    return samples


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resamples with a polyphase filter.

    Args:
        samples: Float `(n,)`, n ≥ 1.
        rate: Their sample rate.
        wanted: The sample rate of the result.

    Returns:
        Float `(⌈n × wanted / rate⌉,)`.
    """
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    divisor = math.gcd(rate, wanted)
    return resample_poly(samples, wanted // divisor, rate // divisor)


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Returns samples in ±1 as int16, rounded and clipped."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


def _soundfile():
    try:
        import soundfile
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise MissingExtraError(
            f"Expected the speech extra: pip install 'ls-keras[speech]'. Received: {error}"
        ) from error
    return soundfile


IN_MEMORY = 1 << 30  # bytes of a split's samples or features that are kept in memory
_AHEAD = 16  # recordings that each thread decodes ahead


class LazyRows(Ragged):
    """Rows that are computed for each batch and not kept.

    Args:
        lengths: The length of each row.
        like: An empty array with the dtype and width of the rows.
    """

    def __init__(self, lengths: np.ndarray, like: np.ndarray):
        super().__init__(like, row_offsets(lengths))

    @abc.abstractmethod
    def make(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the rows `rows` one by one, in that order."""

    def take(self, rows: np.ndarray) -> "LazyRows":
        """Returns the rows `rows`."""
        return cast(LazyRows, super().take(rows))

    @property
    def bytes(self) -> int:
        """Memory that all rows would take."""
        width = int(np.prod(self.values.shape[1:])) * self.values.dtype.itemsize
        return int(self.lengths.sum()) * width

    def __getitem__(self, row: int) -> np.ndarray:
        return next(iter(self.make(np.array([row]))))

    def padded(self, rows: np.ndarray, size: int, dtype=None, *, end=None) -> np.ndarray:
        """Returns `(len(rows), size, ...)`, as `Ragged.padded`."""
        return Ragged.of(self.make(rows)).padded(np.arange(len(rows)), size, dtype, end=end)

    def flattened(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns all rows concatenated, and their offsets."""
        out = np.empty((int(self.lengths.sum()), *self.values.shape[1:]), self.values.dtype)
        ends = row_offsets(self.lengths)
        for row, start in zip(self._runs(), ends, strict=False):
            out[start : start + len(row)] = row
        return out, ends

    def in_memory(self) -> Ragged:
        """Returns the rows in memory if they take at most `IN_MEMORY` bytes, otherwise itself."""
        return self if self.bytes > IN_MEMORY else Ragged(*self.flattened())

    def _runs(self) -> Iterator[np.ndarray]:  # that `save` writes
        return self.make(np.arange(len(self)))


class Recordings(LazyRows):
    """Files that are decoded and resampled in threads.

    Args:
        files: WAV or FLAC files.
        names: The name of each in an error.
        sample_rate: Samples per second to resample to.
    """

    def __init__(self, files: Sequence[Path], names: Sequence[str], sample_rate: int):
        self._files, self._names, self._rate = files, names, sample_rate
        with concurrent.futures.ThreadPoolExecutor(num_cores()) as pool:
            try:
                found = pool.map(recorded_length, files, itertools.repeat(sample_rate), names)
                lengths = np.fromiter(found, np.int64, len(files))
            finally:
                pool.shutdown(cancel_futures=True)
        super().__init__(lengths, np.zeros(0, np.int16))

    def take(self, rows: np.ndarray) -> "Recordings":
        """Returns the recordings `rows`."""
        taken = cast(Recordings, super().take(rows))
        taken._files = [self._files[row] for row in rows]
        taken._names = [self._names[row] for row in rows]
        return taken

    def make(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields samples of recordings."""
        return in_threads(self._decode, rows)

    def _decode(self, row: int) -> np.ndarray:
        samples = read_recording(self._files[row], self._rate, self._names[row])
        if len(samples) != self.lengths[row]:
            raise InputError(
                f"Expected {self.lengths[row]:,} samples, as when the data were opened. "
                f"Received: {self._names[row]}, with {len(samples):,}"
            )
        return samples


def in_threads(
    read: Callable[[int], np.ndarray], rows: np.ndarray, threads: int | None = None
) -> Iterator[np.ndarray]:
    """Reads rows in threads, ahead of the consumer, and yields them in order.

    Args:
        read: Reads one row.
        rows: The rows.
        threads: Number of threads; `None`: the number of cores.
    """
    threads = threads or num_cores()
    left = iter(rows.tolist())
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(read, row) for row in itertools.islice(left, _AHEAD * threads)]
        try:
            while waiting:
                found = waiting.pop(0).result()
                waiting += [pool.submit(read, row) for row in itertools.islice(left, 1)]
                yield found
        finally:
            pool.shutdown(cancel_futures=True)

"""Speaks many lines with eSpeak NG in parallel processes.

eSpeak NG has one state per process and keeps it from line to line. So each chunk of lines is spoken
by a fresh process, `python -m lsk_speech.corpora.speaking`, which makes the samples of a chunk
reproducible on any number of cores.
"""

import concurrent.futures
import dataclasses
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ls_base.errors import LsKerasError, MissingExtraError
from ls_base.process import num_cores
from lsk_engine.data.formats.ragged import Ragged
from lsk_speech.corpora.espeak import Synthesizer, Voice
from lsk_speech.corpora.recordings import resample, to_int16

_CHUNK = 2000  # lines per process; starting one takes as long as speaking 300
_LENGTH = struct.Struct("<q")


@dataclasses.dataclass(frozen=True)
class Line:
    """A text and its speaker."""

    text: str
    voice: Voice


def speak(
    lines: Sequence[Line],
    sample_rate: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Ragged:
    """Speaks lines on all cores.

    Args:
        lines: At least one.
        sample_rate: Samples per second to resample to.
        progress: Called with the number of lines spoken and the total.

    Returns:
        int16 samples, one row per line.

    Raises:
        MissingExtraError: If eSpeak NG is not installed.
        LsKerasError: If a process fails.
    """
    try:
        import espeakng_loader  # noqa: F401 - one error here instead of one per process
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise MissingExtraError(
            f"Expected the speech extra: pip install 'ls-keras[speech]'. Received: {error}"
        ) from error
    chunks = [lines[start : start + _CHUNK] for start in range(0, len(lines), _CHUNK)]
    counts = [0] * len(chunks)
    processes: list[subprocess.Popen] = []

    def run(number: int) -> list[np.ndarray]:
        rows = []
        with _start() as process:
            processes.append(process)
            for row in _exchange(process, chunks[number], sample_rate):
                rows.append(row)
                counts[number] = len(rows)
                if len(rows) % 50 == 0:
                    progress(sum(counts), len(lines))
            complaint = process.stderr.read().decode(errors="replace")  # type: ignore[union-attr]
        if process.returncode or len(rows) != len(chunks[number]):
            reasons = complaint.strip().splitlines() or [f"exit status {process.returncode}"]
            raise LsKerasError(
                f"Expected eSpeak NG to speak {len(chunks[number])} lines. "
                f"Received: {len(rows)}, then {reasons[-1]}"
            )
        return rows

    with concurrent.futures.ThreadPoolExecutor(num_cores()) as pool:
        try:
            spoken = list(pool.map(run, range(len(chunks))))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()
            raise
    progress(len(lines), len(lines))
    return Ragged.of(row for rows in spoken for row in rows)


def _start() -> subprocess.Popen:
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(_command(), env=environment, **pipes)


def _command() -> list[str]:
    return [sys.executable, "-m", __name__]


def _exchange(process: subprocess.Popen, lines: Sequence[Line], sample_rate: int):
    """Sends lines to a process and yields their samples."""
    job = {"sample_rate": sample_rate, "lines": [dataclasses.asdict(line) for line in lines]}
    try:
        process.stdin.write(json.dumps(job).encode())  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]
    except BrokenPipeError:  # it has died; its error is read later
        return
    stream = process.stdout
    while len(header := stream.read(_LENGTH.size)) == _LENGTH.size:  # type: ignore[union-attr]
        content = stream.read(2 * _LENGTH.unpack(header)[0])  # type: ignore[union-attr]
        yield np.frombuffer(content, "<i2")


def _serve() -> None:
    """Speaks the lines of the job on stdin; their samples go to stdout."""
    job = json.load(sys.stdin.buffer)
    synthesizer = Synthesizer()
    for line in job["lines"]:
        samples = synthesizer.speak(line["text"], Voice(**line["voice"])) / np.float32(32768)
        row = to_int16(resample(samples, synthesizer.sample_rate, job["sample_rate"]))
        sys.stdout.buffer.write(_LENGTH.pack(len(row)) + row.astype("<i2").tobytes())


if __name__ == "__main__":
    _serve()

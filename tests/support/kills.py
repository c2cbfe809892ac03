"""Kills trainings at random points, resumes them, and compares them with an uninterrupted run.

`DIFFERS`, `_CLOCK` and `_kept` list what may differ; everything else is compared byte for byte, and
arrays by value.
"""

import dataclasses
import io
import json
import random
import re
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import small_speech
import small_translation
from lsk_processes import Lsk, lsk

# Files of a run that depend on time, machine and number of starts.
DIFFERS = {"environment.json", "log.txt", ".lock", "checksums.json"}
_CLOCK = {"metrics.json": ("seconds", "run")}  # fields that do so
_CHECKPOINTS_KEPT = 1  # the last; before it an interruption leaves others

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
WHEN = ("any time", "loading", "a checkpoint is written", "the model is there", "scores are there")


def arguments(task: str, folder: Path) -> list[str]:
    """Returns what trains a task in seconds, data of its own included.

    Args:
        task: The task; `large`: images, by a network so large that checkpoints are written while
            training goes on.
        folder: Where data go.
    """
    settings: dict = {
        "image": lambda: {
            "data.max_train_examples": 120,
            "model.name": "resnet8",
            "training.batch_size": 32,
            "data.flip": True,
        },
        "large": lambda: {
            "data.max_train_examples": 120,
            "model.layers": 3,
            "model.width": 2000,
            "optimizer.name": "adam",
        },
        "translation": lambda: {
            **small_translation.settings(folder),
            "model.layers": 1,
            "training.max_length_buckets": 1,
            "decoding.beam_size": 2,
        },
        "speech": lambda: {**small_speech.settings(folder), "decoding.beam_size": 2},
    }[task]()
    settings |= {"training.epochs": None, "training.steps": 12, "training.checkpoint_every": 2}
    task = "image" if task == "large" else task
    return ["train", "--task", task, "-q", *(f"--set={k}={v}" for k, v in settings.items())]


@dataclasses.dataclass
class Count:
    """What came of kills.

    Attributes:
        kills: How many processes a signal ended.
        runs: How many runs they belonged to.
        lost: What went wrong, a line each: a run that could not be resumed, or ended differently.
        codes: How often processes ended with each exit code, −N for signal N.
    """

    kills: int = 0
    runs: int = 0
    lost: list[str] = dataclasses.field(default_factory=list)
    codes: dict[int, int] = dataclasses.field(default_factory=dict)


def kill_trainings(
    task: str,
    folder: Path,
    kills: int,
    seed: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> Count:
    """Kills trainings of a task until enough were, at places drawn from the seed.

    Args:
        task: The task.
        folder: An empty folder for data and runs.
        kills: Number of kills.
        seed: Seed of the random points.
        report: Called after each run.
    """
    rng, count = random.Random(seed), Count()
    command = arguments(task, folder)
    start = time.monotonic()
    done = lsk(*command, "--run-dir", folder / "whole")
    assert done.returncode == 0, done.stderr
    seconds = time.monotonic() - start
    while count.kills < kills:
        run = folder / f"run-{count.runs}"
        count.runs += 1
        _kill_until_done(run, command, seconds, rng, count, kills)
        found = (
            []
            if count.lost and count.lost[-1].startswith(str(run))
            else differences(folder / "whole", run)
        )
        count.lost += [f"{run}: {text}" for text in found]
        report(f"{task}: {count.kills} kills, {count.runs} runs, {len(count.lost)} losses")
    return count


def _kill_until_done(run, command, seconds, rng, count, kills) -> None:
    """Trains a run to its end, killing it up to three times."""
    left = min(rng.randint(1, 3), kills - count.kills)
    while True:
        begun = (run / "config.json").is_file()
        again = ["train", "-q", "--resume", run] if begun else [*command, "--run-dir", run]
        process = Lsk(*again)
        sent = left and _kill(process, run, seconds, rng)
        code = process.wait(600)
        if sent and code:  # else it had ended already
            left -= 1
            count.kills += 1
        count.codes[code] = count.codes.get(code, 0) + 1
        if code == 0:
            return
        if code not in (*(-s for s in SIGNALS), 130, 143):
            count.lost.append(f"{run}: exit code {code}: {process.stderr.decode()[-2000:]}")
            return


def _kill(process: Lsk, run: Path, seconds: float, rng: random.Random) -> bool:
    """Sends a signal at a place drawn at random; returns whether the process still ran."""
    when, number = rng.choice(WHEN), rng.choice(SIGNALS)
    latest = time.monotonic() + rng.uniform(0, 1.2) * seconds
    happened = {
        "any time": lambda: False,
        "loading": lambda: (run / "environment.json").is_file(),
        "a checkpoint is written": lambda: any(run.glob("checkpoints/.*writing*")),
        "the model is there": lambda: (run / "model.keras").is_file(),
        "scores are there": lambda: any((run / "evaluation").glob("*")),
    }[when]
    if when != "any time":
        latest += seconds
    while process.poll() is None and time.monotonic() < latest and not happened():
        time.sleep(0.002)
    if when in ("loading", "the model is there"):
        time.sleep(rng.uniform(0, 0.5))
    if process.poll() is not None:
        return False
    process.signal(number)
    return True


def differences(whole: Path, run: Path) -> list[str]:
    """Returns in words which files of two runs are not the same."""
    first, second = _files(whole), _files(run)
    found = [f"{name} is there once only" for name in sorted(first.keys() ^ second.keys())]
    for name in sorted(first.keys() & second.keys()):
        if not _same(name, first[name], second[name]):
            found.append(f"{name} differs")
    return found


def _files(run: Path) -> dict[str, Path]:
    files = {f.relative_to(run).as_posix(): f for f in run.rglob("*") if f.is_file()}
    checkpoints = sorted(name for name in files if name.startswith("checkpoints/"))
    dropped = DIFFERS | set(checkpoints[:-_CHECKPOINTS_KEPT])
    return {name: file for name, file in files.items() if name not in dropped}


def _same(name: str, first: Path, second: Path) -> bool:
    if name in _CLOCK:
        values = [json.loads(file.read_text()) for file in (first, second)]
        for value in values:
            for field in _CLOCK[name]:
                value.pop(field)
        return values[0] == values[1]
    if name.endswith(".keras"):
        return _of_model(first) == _of_model(second)
    if name.endswith(".npz"):
        with np.load(first) as a, np.load(second) as b:
            return a.files == b.files and all(a[n].tobytes() == b[n].tobytes() for n in a.files)
    return first.read_bytes() == second.read_bytes()


def _of_model(file: Path) -> dict[str, bytes]:
    """Returns a saved model's configuration and weights; its metadata hold the date.

    Objects that layers share are numbered by their addresses in memory: here by their order.
    """
    import h5py

    numbers: dict[str, str] = {}

    def number(match: re.Match) -> str:
        return f'"shared_object_id": {numbers.setdefault(match[1], str(len(numbers)))}'

    with zipfile.ZipFile(file) as archive:
        config = archive.read("config.json").decode()
        config = re.sub(r'"shared_object_id": (\d+)', number, config)
        found = {"config": config.encode()}
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
            weights.visititems(
                lambda name, item: (
                    found.__setitem__(name, np.asarray(item).tobytes())
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    return found

"""Kills trainings at random points, resumes them, and compares them with an uninterrupted run.

`DIFFERS`, `_CLOCK` and `_files` list what may differ; everything else is compared byte for byte,
and arrays by value.
"""

import collections
import dataclasses
import io
import json
import random
import re
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import small_speech
import small_translation
from fault_cases import Outcome
from lsk_processes import Lsk, lsk

# Files of a run that depend on time, machine and number of starts.
DIFFERS = {"environment.json", "log.txt", ".lock", "checksums.json"}
_CLOCK = {"metrics.json": ("seconds", "run")}  # fields that do so
_CHECKPOINTS_KEPT = 1  # the last; before it an interruption leaves others

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
STEPS, CHECKPOINT_EVERY = 60, 7  # no multiple of an epoch
TRAINING = "between checkpoints"
PLACES = (
    *("any time", "loading", "writing a checkpoint", "the model is saved", "scores are saved"),
    *[TRAINING] * 8,
)


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
    saving = dict.fromkeys(("training.checkpoint_every", "training.keep_every"), CHECKPOINT_EVERY)
    settings |= {"training.epochs": None, "training.steps": STEPS, **saving}
    task = "image" if task == "large" else task
    return ["train", "--task", task, "-q", *(f"--set={k}={v}" for k, v in settings.items())]


@dataclasses.dataclass
class Count:
    """The result of killing trainings.

    Attributes:
        kills: Processes ended by a signal.
        in_training: Those of them that had saved a checkpoint, had trained on, and were not done.
        runs: Runs that these processes trained.
        faults: A run each that could not be resumed or ended with other files.
        codes: Number of processes by exit code; -N for signal N.
    """

    kills: int = 0
    in_training: int = 0
    runs: int = 0
    faults: list[Outcome] = dataclasses.field(default_factory=list)
    codes: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)


def kill_trainings(
    task: str,
    folder: Path,
    kills: int,
    seed: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> Count:
    """Kills trainings of a task, resumes them, and compares their files with an undisturbed run's.

    Goes on until there are `kills` kills, half of them between two checkpoints.

    Args:
        task: The task.
        folder: An empty folder for data and runs.
        kills: The least number of kills.
        seed: Seed of the places and signals.
        report: Receives a line about each run.
    """
    rng, count = random.Random(seed), Count()
    command = arguments(task, folder)
    for name in ("first", "whole"):  # the first takes longer
        start = time.monotonic()
        done = lsk(*command, "--run-dir", folder / name)
        assert done.returncode == 0, done.stderr
        seconds = time.monotonic() - start
    saved = [folder / "whole" / "checkpoints" / f"step-{n:08}.npz" for n in (14, 49)]
    interval = (saved[1].stat().st_mtime - saved[0].stat().st_mtime) / 5
    while count.kills < kills or count.in_training < kills / 2:
        run = folder / f"run-{count.runs}"
        count.runs += 1
        result, said = _kill_until_done(run, command, (seconds, interval), rng, count)
        if not result and (different := differences(folder / "whole", run)):
            result, said = "different", ", ".join(different)
        if result:
            count.faults.append(Outcome(run.name, result, said))
        report(
            f"{task}: {count.kills} kills, {count.in_training} of them between checkpoints, "
            f"{count.runs} runs, {len(count.faults)} faults"
        )
        shutil.rmtree(run)
    return count


def _kill_until_done(run, command, durations, rng, count) -> tuple[str, str]:
    """Trains a run to its end, killing it up to three times; returns the fault, if any."""
    left = rng.randint(1, 3)
    while True:
        begun = (run / "config.json").is_file()
        again = ["train", "-q", "--resume", run] if begun else [*command, "--run-dir", run]
        process = Lsk(*again)
        place = _kill(process, run, *durations, rng) if left else ""
        try:
            code = process.wait(600)
        except subprocess.TimeoutExpired:
            return "hang", place
        said = process.stderr.decode()
        count.codes[code] += 1
        if place and code:  # otherwise the process had ended already
            left -= 1
            count.kills += 1
            count.in_training += place == TRAINING
        if "Traceback" in said:
            return "traceback", said[-2000:]
        if code == 0:
            return "", ""
        if code not in (*(-s for s in SIGNALS), 130, 143):
            return "died", f"exit code {code}: {said[-2000:]}"


def _kill(process: Lsk, run: Path, seconds: float, interval: float, rng: random.Random) -> str:
    """Sends a signal at a random place; returns the place, empty if the process had ended."""
    place, number = rng.choice(PLACES), rng.choice(SIGNALS)
    checkpoints = run / "checkpoints"
    after = rng.randrange(CHECKPOINT_EVERY, STEPS - CHECKPOINT_EVERY)
    latest = time.monotonic() + seconds * (rng.uniform(0, 1.2) if place == "any time" else 3)
    happened = {
        "any time": lambda: False,
        "loading": lambda: (run / "environment.json").is_file(),
        "writing a checkpoint": lambda: any(checkpoints.glob(".*writing*")),
        "the model is saved": lambda: (run / "model.keras").is_file(),
        "scores are saved": lambda: any((run / "evaluation").glob("*")),
        TRAINING: lambda: max(_steps(run), default=0) >= after,
    }[place]
    newest = max(_steps(run), default=0)
    if place == TRAINING and newest:  # a resumed run: the first checkpoint that it writes
        after = max(after, newest + 1)
    while process.poll() is None and time.monotonic() < latest and not happened():
        time.sleep(0.002)
    if place in ("loading", "the model is saved"):
        time.sleep(rng.uniform(0, 0.5))
    if place == TRAINING:
        time.sleep(rng.uniform(0, interval))
    found = max(_steps(run), default=0)
    writing = any(checkpoints.glob(".*writing*"))
    if process.poll() is not None:
        return ""
    process.signal(number)
    training = newest < found < STEPS and not writing and not (run / "model.keras").is_file()
    return TRAINING if training else place if place != TRAINING else "elsewhere"


def _steps(run: Path) -> list[int]:
    return [int(file.stem.rpartition("-")[2]) for file in run.glob("checkpoints/step-*.npz")]


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

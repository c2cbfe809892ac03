"""Kills workers of two-process trainings at random points, resumes them, and compares their files.

A part of `verify_faults.py`: `make verify-faults FAULTS="--only workers --workers 20"`. Each run is
killed once, either of its workers, at a time drawn over the length of an undisturbed run (loading,
training, validating, saving and scoring). The other worker is ended as
`lsk_engine.devices.local_workers` does. Then both are started again, and their files are compared
with an undisturbed run's, byte for byte: `tests/support/kills.py` says what may differ.
"""

import collections
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).parents[1] / "tests" / "support"
sys.path.insert(0, str(SUPPORT))

WORKERS = 2
FAREWELL_SECONDS = 3.0
STORY = "story"  # a case of `train_on_replicas.py`
_SERVER = multiprocessing.get_context("forkserver")


def work(environment: dict[str, str], folder: str, log: str) -> None:
    """Is a worker: forked from a process that has imported, and computed nothing."""
    import runpy

    os.environ |= environment
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["train_on_replicas.py", "processes", folder, STORY]
    runpy.run_path(str(SUPPORT / sys.argv[0]), run_name="__main__")


def start(folder: Path) -> list:
    from lsk_engine.devices.local_workers import free_addresses
    from lsk_engine.devices.process_env import ADDRESSES, COUNT, INDEX, TF_CONFIG, tf_config

    addresses = free_addresses(WORKERS)
    processes = []
    for index in range(WORKERS):
        environment = {
            TF_CONFIG: tf_config(addresses, index),
            ADDRESSES: addresses[0],
            COUNT: str(WORKERS),
            INDEX: str(index),
        }
        log = f"{folder}-worker-{index}.txt"
        process = _SERVER.Process(target=work, args=(environment, str(folder), log))
        process.start()
        processes.append(process)
    return processes


def wait(processes: list, seconds: float) -> list[int | None]:
    until = time.monotonic() + seconds
    for process in processes:
        process.join(max(until - time.monotonic(), 0))
    return [process.exitcode for process in processes]


def end(processes: list) -> None:
    for process in processes:
        process.kill()
        process.join()


def kill_workers(kills: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Kills workers, resumes their runs, and counts those that end with other files.

    Args:
        kills: Number of runs; each is killed once.
        seed: Seed of the times and workers.
        say: Receives a line about each run.
    """
    from kills import differences

    _SERVER.set_forkserver_preload(
        ["keras", "lsk_engine.experiment", os.environ.get("KERAS_BACKEND", "tensorflow")]
    )
    rng = random.Random(seed)
    results: collections.Counter[str] = collections.Counter()
    faults = []
    with tempfile.TemporaryDirectory(prefix="worker-kills-") as name:
        folder = Path(name)
        for run in ("warm", "whole"):
            begun = time.monotonic()
            codes = finish(folder / run)
            seconds = time.monotonic() - begun
            assert codes == [0] * WORKERS, (folder / f"{run}-worker-0.txt").read_text()
        while sum(results.values()) < kills:
            run = folder / f"run-{sum(results.values())}"
            processes = start(run)
            time.sleep(rng.uniform(0, seconds))
            victim = rng.randrange(WORKERS)
            alive = processes[victim].is_alive()
            steps = sorted(f.stem for f in run.glob(f"processes/{STORY}/checkpoints/step-*.npz"))
            if alive:
                os.kill(processes[victim].pid, signal.SIGKILL)
            wait(processes, FAREWELL_SECONDS)  # the other may report that it is alone
            end(processes)
            codes = finish(run)
            logs = [Path(f"{run}-worker-{index}.txt").read_text() for index in range(WORKERS)]
            different = differences(*(one / "processes" / STORY for one in (folder / "whole", run)))
            if None in codes:
                result, said = "hang", f"exit codes {codes}"
            elif any(codes):
                result, said = "died", f"exit codes {codes}: {[log[-1500:] for log in logs]}"
            elif different:
                result, said = "different", ", ".join(different)
            else:
                result, said = "same", ""
            results[result] += 1
            if result != "same":
                faults.append(f"{run.name}: {result}: {said}")
            say(
                f"workers: kill {sum(results.values())} of worker {victim}, "
                f"{'alive' if alive else 'ended'}, "
                f"after {steps[-1] if steps else 'no checkpoint'}: {result}"
            )
    return {"cases": kills, **results, "faults": faults}


def finish(folder: Path) -> list[int | None]:
    """Runs the workers to their end; returns their exit codes."""
    processes = start(folder)
    codes = wait(processes, 900)
    end(processes)
    return codes

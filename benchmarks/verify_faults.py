"""Kills, full disks, vanishing data and hostile files: `python benchmarks/verify_faults.py`.

    make verify-faults [FAULTS="--kills 10 --files 250 --only kills"]

- **kills**: trainings of each task are killed (SIGKILL, SIGTERM, SIGINT) at random times, while
  data are loaded, while a checkpoint is written, while they are scored, and resumed; the end is
  compared with an undisturbed run's, byte for byte. 100 kills a task on TensorFlow, 30 on JAX.
- **disk**: a run on a file system that fills up (a small tmpfs: needs root on Linux), in a folder
  that is read-only, with 64 file handles: one line each, and the run goes on afterwards.
- **files**: damaged and hostile files of every kind against their readers.

Prints the counts, and ends with 1 if anything was lost.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

TASKS = ("image", "large", "translation", "speech")  # large: a checkpoint is a thread's work
LSK = [sys.executable, "-m", "lsk"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="a task, on TensorFlow")
    parser.add_argument("--jax-kills", type=int, default=30, help="a task, on JAX")
    parser.add_argument("--files", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--only", nargs="+", choices=("kills", "disk", "files"))
    parser.add_argument("--kill-here", nargs=2, metavar=("TASK", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kill_here:
        sys.exit(kill_here(options.kill_here[0], int(options.kill_here[1]), options.seed))
    chosen = options.only or ("kills", "disk", "files")
    lost = 0
    if "kills" in chosen:
        for backend, kills in (("tensorflow", options.kills), ("jax", options.jax_kills)):
            for task in options.task if kills else ():
                lost += kill(task, backend, kills, options.seed)
    if "disk" in chosen:
        lost += sum(trouble(task) for task in options.task)
    if "files" in chosen:
        lost += hostile_files(options.files, options.seed)
    sys.exit(bool(lost))


def kill(task: str, backend: str, kills: int, seed: int) -> int:
    """Kills trainings in a process of its own: a backend is chosen once a process."""
    command = [sys.executable, __file__, "--kill-here", task, str(kills), "--seed", str(seed)]
    return subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}).returncode


def kill_here(task: str, kills: int, seed: int) -> int:
    from kills import kill_trainings

    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    with tempfile.TemporaryDirectory() as folder:
        count = kill_trainings(
            task, Path(folder), kills, seed, report=lambda t: print(t, flush=True)
        )
    codes = ", ".join(f"{code}: {n}" for code, n in sorted(count.codes.items()))
    print(
        f"{task} on {backend}: {count.kills} kills in {count.runs} runs, "
        f"{count.runs - len({text.partition(':')[0] for text in count.lost})} of them identical; "
        f"exit codes {codes}",
        *count.lost,
        sep="\n",
        flush=True,
    )
    return bool(count.lost)


def trouble(task: str) -> int:
    """Runs a task with system failures; returns how many were not reported in one line."""
    from kills import arguments, differences

    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [*LSK, *arguments(task, folder)]
        lsk(*command, "--run-dir", folder / "whole", expect=0)
        size = sum(file.stat().st_size for file in (folder / "whole").rglob("*")) // 1024
        for what, where in places(folder, (1, 60, size // 3, size * 9 // 10)):
            run = where / "run"
            code, told = lsk(*command, "--run-dir", run, limit=64 if what == "handles" else None)
            lines = told.strip().splitlines()
            good = code == 2 and len(lines) == 1 and "Error: Expected" in lines[0]
            free(what, where)
            again = ["--resume", run] if (run / "config.json").is_file() else None
            resumed = [*LSK, "train", "-q", *again] if again else [*command, "--run-dir", run]
            code_after, after = lsk(*resumed)
            same = code_after == 0 and not differences(folder / "whole", run)
            if what == "handles" and code == 0:  # it needs fewer
                good = same = not differences(folder / "whole", run)
            failures += not (good and same)
            print(
                f"{task}, {what}: exit code {code}, {lines[-1:]}; afterwards {code_after}, "
                f"{'the same end' if same else f'another end {after}'}",
                flush=True,
            )
            if what.startswith("disk"):
                subprocess.run(["umount", where], check=True)
    return failures


def places(folder: Path, sizes: Sequence[int]):
    """Yields names and folders of unusable places: small disks (`sizes` in KiB), read-only."""
    for kib in sizes:
        where = folder / f"disk-{kib}"
        where.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", where], capture_output=True
        )
        if mounted.returncode == 0:
            yield f"disk of {kib} KiB", where
        else:
            print(f"disk of {kib} KiB: skipped, mounting is not permitted")
    where = folder / "read-only"
    where.mkdir()
    if os.geteuid():
        where.chmod(0o500)
        yield "read-only", where
    else:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", where], check=False)
        if not os.access(where, os.W_OK):
            yield "disk that is read-only", where
        else:
            print("read-only: skipped, root may write anywhere")
    where = folder / "handles"
    where.mkdir()
    yield "handles", where


def free(what: str, where: Path) -> None:
    """Takes away what was in the way."""
    if what.startswith("disk"):
        subprocess.run(["mount", "-o", "remount,rw,size=100m", where], check=True)
    where.chmod(0o700)


def lsk(*command, expect: int | None = None, limit: int | None = None) -> tuple[int, str]:
    """Runs a command; returns its exit code and what it wrote on standard error."""

    def few_handles():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        preexec_fn=few_handles if limit else None,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if expect is not None and done.returncode != expect:
        sys.exit(done.stderr)
    return done.returncode, done.stderr


def hostile_files(count: int, seed: int) -> int:
    """Tries hostile files; returns how many were neither refused in one line nor read rightly."""
    from hostile_files import FAULTS, try_cases

    outcomes = try_cases(count, seed=seed, said=lambda text: print(text, flush=True))
    return sum(outcome.result in FAULTS for outcome in outcomes)


if __name__ == "__main__":
    main()

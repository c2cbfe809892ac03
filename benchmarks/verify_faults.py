"""Hostile calls, damaged files, kills, full disks and killed workers, counted.

    make verify-faults [FAULTS="--only calls files" or "--kills 5 --files 100"]

| part | what it does | default |
|---|---|---|
| calls | wrong arguments of every public function | 2,300 |
| files | damaged and hostile files and settings | 960 |
| kills | kills and resumes trainings; compares all files with an uninterrupted run | 25 per task |
| disk | full and read-only disks, few file handles, then the same run again | 5 per task |
| workers | kills one of two workers of a training, resumes it; compares all files | 5 per backend |

A case passes if it ends in one line of ours that names what was found (`refused`), with the same
result as without the fault (`same`), or with a value (`value`) if the input is odd but valid: an
unusual argument, a changed file without a checksum.
Everything else is a fault and makes the exit code 1. At least half of the kills come between two
checkpoints of a training (`in training`). Filling a disk needs root on Linux (a small tmpfs).
"""

import argparse
import collections
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "benchmarks")]

from fault_cases import FAULTS, PASSES, is_refusal  # noqa: E402

TASKS = ("image", "translation", "speech", "large")  # large: a thread writes its checkpoints
LSK = [sys.executable, "-m", "lsk"]
COLUMNS = ("part", "cases", "in training", *PASSES, *FAULTS)
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--calls", type=int, default=2300)
    parser.add_argument("--files", type=int, default=960)
    parser.add_argument("--kills", type=int, default=25, help="for each task and backend")
    parser.add_argument("--workers", type=int, default=5, help="kills for each backend")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--backend", nargs="+", default=["tensorflow", "jax"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file for the counts and the faults")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        row = PARTS[options.only[0]](options)
        options.out.write_text(json.dumps(row))
        return
    rows: list[Row] = []
    for part in options.only:
        for backend in options.backend if part in ("kills", "workers") else ["tensorflow"]:
            for task in options.task if part in ("kills", "disk") else [None]:
                if not (backend == "jax" and task == "large"):
                    rows.append(run(part, backend, task, options))
                    print("\n".join([*rows[-1]["faults"], ""]), flush=True)
    print(table(rows))
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(any(row["faults"] for row in rows))


def run(part: str, backend: str, task: str | None, options: argparse.Namespace) -> Row:
    """Runs a part in a process of its own: a process has one backend."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "row.json"
        command = [sys.executable, __file__, "--here", "--only", part, "--out", str(out)]
        for name in ("calls", "files", "kills", "workers", "seed"):
            command += [f"--{name}", str(getattr(options, name))]
        command += ["--task", task] if task else []
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        code = subprocess.run(command, env=environment).returncode
        row = json.loads(out.read_text()) if code == 0 else {"faults": [f"exit code {code}"]}
    name = " ".join(filter(None, [part, task, backend if part in ("kills", "workers") else ""]))
    return {"part": name, **row}


def table(rows: list[Row]) -> str:
    """Returns a Markdown table of the counts."""
    lines = [COLUMNS, ["---"] * len(COLUMNS)]
    lines += [[str(row.get(name, 0)) for name in COLUMNS] for row in rows]
    total = [str(sum(row.get(name, 0) for row in rows)) for name in COLUMNS[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, ["all", *total]])


def say(text: str) -> None:
    print(text, flush=True)


def count(outcomes) -> Row:
    """Returns the row of outcomes with a `result` each, and the text of the faults."""
    found = collections.Counter(outcome.result for outcome in outcomes)
    faults = [str(outcome) for outcome in outcomes if outcome.result in FAULTS]
    return {"cases": len(outcomes), **found, "faults": faults}


def calls(options: argparse.Namespace) -> Row:
    from hostile_calls import try_calls

    return count(try_calls(options.calls, options.seed, say))


def files(options: argparse.Namespace) -> Row:
    from hostile_files import try_files

    return count(try_files(options.files, seed=options.seed, say=say))


def kills(options: argparse.Namespace) -> Row:
    from kills import kill_trainings

    with tempfile.TemporaryDirectory() as folder:
        task = options.task[0]
        found = kill_trainings(task, Path(folder), options.kills, options.seed, report=say)
    faults = collections.Counter(fault.result for fault in found.faults)
    return {
        **{"cases": found.kills, "in training": found.in_training, "runs": found.runs},
        **{"same": found.kills - len(found.faults), **faults, "codes": found.codes},
        "faults": [f"{task}: {fault}" for fault in found.faults],
    }


def workers(options: argparse.Namespace) -> Row:
    from worker_kills import kill_workers

    return kill_workers(options.workers, options.seed, say)


def disk(options: argparse.Namespace) -> Row:
    """Runs a task into trouble with the system, ends the trouble, and runs it again."""
    from kills import arguments, differences

    task, outcomes = options.task[0], collections.Counter()
    faults = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [*LSK, *arguments(task, folder)]
        code, said = lsk(*command, "--run-dir", folder / "whole")
        assert code == 0, said
        size = sum(file.stat().st_size for file in (folder / "whole").rglob("*")) // 1024
        for what, where in places(folder, (1, 60, size // 3, size * 9 // 10)):
            run = where / "run"
            code, said = lsk(*command, "--run-dir", run, limit=64 if what == "handles" else None)
            refused = code == 2 and is_refusal(said.removeprefix("Error: "), str(where))
            free(what, where)
            if code:  # 64 handles may do
                begun = (run / "config.json").is_file()
                again = [*LSK, "train", "-q", "--resume"] if begun else [*command, "--run-dir"]
                code, after = lsk(*again, run)
                said += after
            different = ["failed"] if code else differences(folder / "whole", run)
            result = "different" if different else "refused" if refused else "unclear"
            result = "traceback" if "Traceback" in said else result
            outcomes[result] += 1
            say(f"{task}, {what}: {result}: {said.strip()[-300:]}")
            if result in FAULTS:
                faults.append(f"{task}, {what}: {result}: {said} {different}")
            if what.startswith("disk"):
                subprocess.run(["umount", where], check=True)
    return {"cases": sum(outcomes.values()), **outcomes, "faults": faults}


def places(folder: Path, sizes: tuple[int, ...]) -> Iterator[tuple[str, Path]]:
    """Yields what is in the way of a run, and a folder for the run there."""
    for name, options in [*((f"disk of {n} KiB", f"size={n}k") for n in sizes), ("disk, ro", "ro")]:
        where = folder / name.replace(" ", "-")
        where.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", where]
        if subprocess.run(mount, capture_output=True).returncode == 0:
            yield name, where
        else:
            say(f"{name}: left out, no right to mount")
    where = folder / "handles"
    where.mkdir()
    yield "handles", where


def free(what: str, where: Path) -> None:
    """Removes what was in the way."""
    if what.startswith("disk"):
        subprocess.run(["mount", "-o", "remount,rw,size=100m", where], check=True)


def lsk(*command, limit: int | None = None) -> tuple[int, str]:
    """Runs a command; returns its exit code and standard error.

    Args:
        *command: The command.
        limit: The number of files that it may open.
    """

    def few_handles():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        preexec_fn=few_handles if limit else None,
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Warning: ")]
    return done.returncode, "\n".join(lines)


PARTS = {"calls": calls, "files": files, "kills": kills, "disk": disk, "workers": workers}

if __name__ == "__main__":
    main()

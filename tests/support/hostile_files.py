"""Damaged and malicious files, as numbered cases with the functions that read them.

A case is a kind of file (`hostile_kinds`), whole at first, and a change to it that the number of
the case draws. Readers run in a process of their own, whose memory is bounded and whose time is
taken: a case is `refused` in one line, or `read`; anything else is a fault.
"""

import collections
import contextlib
import dataclasses
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hostile_changes import changes_of

SECONDS, BYTES = 60, 4 << 30
FAULTS = ("traceback", "several lines", "hang", "memory", "died", "wrong")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: What it is called in a count.
        files: Those that may be changed, below the folder.
        make: Writes whole files into a new folder.
        read: Reads them as the product does; returns what they hold.
        form: Which changes suit its content, beside those of bytes: see `hostile_changes`.
        protected: Whether a change of what is read has to be noticed, as there are checksums.
    """

    name: str
    files: tuple[str, ...]
    make: Callable[[Path], None]
    read: Callable[[Path], Any]
    form: str = "bytes"
    protected: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        number: Of the case.
        kind: Of the file.
        change: What was done to it.
        result: `refused`, `read`, or one of `FAULTS`.
        said: The message, or the traceback's end.
    """

    number: int
    kind: str
    change: str
    result: str
    said: str

    def __str__(self) -> str:
        return f"case {self.number} ({self.kind}, {self.change}): {self.result}: {self.said}"


def try_cases(
    count: int, *, first: int = 0, seed: int = 0, said: Callable[[str], None] | None = None
) -> list[Outcome]:
    """Tries hostile files, spread evenly over their kinds.

    Args:
        count: How many.
        first: Number of the first case; a case depends only on its number and the seed.
        seed: Seed of all changes.
        said: Called with each fault when it occurs, and with the counts at the end.

    Returns:
        How each case ended.
    """
    outcomes: list[Outcome] = []
    numbers = collections.deque(range(first, first + count))
    with _folder() as folder:
        while numbers:
            for outcome in _in_a_process(numbers, seed, folder):
                outcomes.append(outcome)
                if said is not None and outcome.result in FAULTS:
                    said(str(outcome))
    if said is not None:
        said(counts(outcomes))
    return outcomes


def counts(outcomes: list[Outcome]) -> str:
    """Returns how many cases ended how, in all and by kind, as text."""
    results = ("refused", "read", *FAULTS)
    lines = [_line("kind", results)]
    for kind in sorted({outcome.kind for outcome in outcomes}):
        found = collections.Counter(o.result for o in outcomes if o.kind == kind)
        lines.append(_line(kind, [found[result] for result in results]))
    found = collections.Counter(outcome.result for outcome in outcomes)
    return "\n".join([*lines, _line(f"all {len(outcomes)}", [found[r] for r in results])])


def _line(name: str, cells) -> str:
    return f"{name:24}" + "".join(f"{cell!s:>14}" for cell in cells)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_a_process(numbers: collections.deque, seed: int, folder: Path) -> Iterator[Outcome]:
    """Tries cases in one process until it ends; those that it did are taken from `numbers`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hostile_kinds"])
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, list(numbers), seed, folder))
    process.start()
    there.close()
    try:
        while numbers:
            # The first case waits for imports.
            if not here.poll(SECONDS + 120):
                process.kill()
                yield _ended(numbers.popleft(), seed, "hang", f"over {SECONDS} s")
                return
            try:
                outcome = here.recv()
            except EOFError:
                process.join()
                said = f"exit code {process.exitcode}"
                yield _ended(numbers.popleft(), seed, "died", said)
                return
            numbers.popleft()
            yield outcome
    finally:
        process.kill()
        process.join()


def _ended(number: int, seed: int, result: str, said: str) -> Outcome:
    from hostile_kinds import KINDS

    kind = KINDS[number % len(KINDS)]
    return Outcome(number, kind.name, _drawn(number, seed, kind)[0], result, said)


def _work(pipe, numbers: list[int], seed: int, folder: Path) -> None:
    """Is the process: reads one case after another."""
    from hostile_kinds import KINDS

    whole: dict[str, Any] = {}
    for number in numbers:
        kind = KINDS[number % len(KINDS)]
        made = folder / kind.name
        if kind.name not in whole:
            if not made.exists():
                kind.make(made)
            whole[kind.name] = kind.read(made)
            _bound_memory()
        pipe.send(_try(number, seed, kind, made, whole[kind.name], folder / f"case-{number}"))


def _bound_memory() -> None:
    """Refuses this process more than 4 GiB beyond what it has mapped by now."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (mapped + BYTES, hard))


def _drawn(number: int, seed: int, kind: Kind):
    rng = np.random.default_rng([seed, number])
    changes = changes_of(kind.form)
    names = sorted(changes)
    # Each form's own changes as often as those of bytes.
    name = names[rng.integers(len(names))]
    return name, changes[name], kind.files[rng.integers(len(kind.files))], rng


def _try(number: int, seed: int, kind: Kind, made: Path, whole: Any, case: Path) -> Outcome:
    name, change, file, rng = _drawn(number, seed, kind)
    shutil.copytree(made, case, symlinks=True)
    before = time.monotonic()
    try:
        change(case / file, rng)
        # What is missing may have been removed by its owner.
        protected = kind.protected and name != "missing"
        result, said = _read(kind, case, whole if protected else None)
    finally:
        shutil.rmtree(case, ignore_errors=True)
    if time.monotonic() - before > SECONDS:
        result, said = "hang", f"{time.monotonic() - before:.0f} s"
    return Outcome(number, kind.name, f"{name} of {file}", result, said)


def _read(kind: Kind, case: Path, whole: Any) -> tuple[str, str]:
    from ls_base.errors import LsKerasError

    try:
        found = kind.read(case)
    except LsKerasError as error:
        lines = str(error).splitlines()
        one = len(lines) == 1 and len(lines[0]) < 2000
        return ("refused" if one else "several lines"), str(error)[:2000]
    except MemoryError:
        return "memory", traceback.format_exc(limit=-3)
    except Exception:
        return "traceback", traceback.format_exc(limit=-6)
    if whole is not None and not same(found, whole):
        return "wrong", "other content, without an error"
    return "read", ""


def same(first: Any, second: Any) -> bool:
    """Returns whether what was read is the same, array by array."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        first, second = np.asarray(first), np.asarray(second)
        return first.dtype == second.dtype and np.array_equal(
            first, second, equal_nan=first.dtype.kind == "f"
        )
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(same(a, b) for a, b in pairs)
    return bool(first == second)

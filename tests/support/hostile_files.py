"""Damaged and hostile files and settings: cases by number.

A case is a kind of file (`hostile_kinds`), whole at first, and a change to it that is drawn by the
case's number. It passes if its reader refuses it in one line that names the file or setting and
what was found (`refused`), or reads the same (`same`). Files without a checksum may also hold
something else (`value`): the user may have made the change.
"""

import collections
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fault_cases import FAULTS, PASSES, Outcome, bound_memory, run_cases, try_call
from hostile_changes import changes_of


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


def try_files(
    count: int, *, first: int = 0, seed: int = 0, say: Callable[[str], None] = lambda text: None
) -> list[Outcome]:
    """Tries damaged files, spread evenly over their kinds.

    Args:
        count: The number of cases.
        first: The number of the first; a case depends on its number and the seed only.
        seed: Seed of the changes.
        say: Receives each fault, and the counts by kind at the end.
    """
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as folder:
        numbers = range(first, first + count)
        for outcome in run_cases("hostile_files", numbers, seed, Path(folder)):
            outcomes.append(outcome)
            if outcome.result in FAULTS:
                say(str(outcome))
    say(counts(outcomes))
    return outcomes


def counts(outcomes: list[Outcome]) -> str:
    """Returns how many cases ended how, by kind of file, as text."""
    kinds = collections.defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.case.partition(": ")[0]].append(outcome.result)
    lines = [("kind", *PASSES, *FAULTS)]
    lines += [(k, *map(kinds[k].count, lines[0][1:])) for k in sorted(kinds)]
    return "\n".join(f"{line[0]:28}" + "".join(f"{c!s:>11}" for c in line[1:]) for line in lines)


@functools.cache
def _whole(kind_number: int, folder: Path) -> tuple[Kind, Path, Any]:
    """Returns a kind, the folder of its whole files, and what these hold."""
    from hostile_kinds import KINDS

    kind = KINDS[kind_number]
    made = folder / kind.name
    if not made.exists():
        kind.make(made)
    content = kind.read(made)
    bound_memory()  # beyond what this reader has mapped
    return kind, made, content


def try_case(number: int, seed: int, folder: Path) -> Outcome:
    """Damages a copy of a file as the number says, and reads it."""
    from hostile_kinds import KINDS

    kind, made, whole = _whole(number % len(KINDS), folder)
    rng = np.random.default_rng([seed, number])
    changes = changes_of(kind.form)
    names = sorted(changes)
    name = names[rng.integers(len(names))]
    file = kind.files[rng.integers(len(kind.files))]
    case = folder / f"case-{number}"
    shutil.copytree(made, case, symlinks=True)
    try:
        changes[name](case / file, rng)
        # A message names the changed file, or its folder if it is missing or belongs to other data.
        named = () if kind.form == "settings" else (Path(file).name, str(case))
        result, said, found = try_call(lambda: kind.read(case), *named)
    finally:
        shutil.rmtree(case, ignore_errors=True)
    if result == "value":
        result = "same" if same(found, whole) else "value"
        # The owner of a file may have removed it.
        if result == "value" and kind.protected and name != "missing":
            result, said = "different", "other content without an error"
    return Outcome(f"{kind.name}: case {number}, {name} of {file}", result, said)


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

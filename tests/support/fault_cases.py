"""Runs hostile cases in processes of bounded memory and time, and says how each ended."""

import collections
import dataclasses
import importlib
import multiprocessing
import os
import resource
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import LsKerasError

SECONDS, BYTES = 60, 4 << 30
MAX_LINE = 1000  # characters
PASSES = ("refused", "same", "value")
FAULTS = ("unclear", "raw error", "traceback", "hang", "memory", "died", "different")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The end of a case.

    Attributes:
        case: The case in words.
        result: One of `PASSES` or `FAULTS`.
        said: The message, or the end of the traceback.
    """

    case: str
    result: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.case}: {self.result}: {self.said}"


def is_refusal(message: str, *names: str) -> bool:
    """Returns whether an error message is one line that names what was found.

    Args:
        message: The message of an exception of ours, or what `lsk` wrote.
        *names: The file or setting; the message must have one of them. None: any message.
    """
    lines = message.strip().splitlines()
    return (
        len(lines) == 1
        and len(lines[0]) <= MAX_LINE
        and ("Received: " in lines[0] or lines[0].startswith("Could not "))
        and (not names or any(name in lines[0] for name in names))
    )


def try_call(call: Callable[[], Any], *names: str) -> tuple[str, str, Any]:
    """Calls a function; returns the result (`value` or a refusal or a fault), text and value."""
    try:
        value = call()
    except LsKerasError as error:
        text = str(error)
        return ("refused" if is_refusal(text, *names) else "unclear"), text[:2000], None
    except MemoryError:
        return "memory", traceback.format_exc(limit=-3), None
    except BaseException:
        return "raw error", traceback.format_exc(limit=-6), None
    return "value", "", value


def run_cases(module: str, cases: Sequence[Any], *more: Any) -> Iterator[Outcome]:
    """Yields the outcomes of `module.try_case(case, *more)`, in processes of bounded memory.

    Args:
        module: A module of this folder, imported once.
        cases: What `try_case` takes; their `str` names them if a process hangs or dies.
        more: Further arguments.
    """
    left = collections.deque(cases)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    while left:
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, module, list(left), more))
        process.start()
        there.close()
        try:
            while left:
                if not here.poll(SECONDS + 120):  # the first case waits for imports
                    yield Outcome(str(left.popleft()), "hang", f"over {SECONDS} s")
                    break
                outcome = here.recv()
                left.popleft()
                yield outcome
        except EOFError:
            process.join()
            yield Outcome(str(left.popleft()), "died", f"exit code {process.exitcode}")
        finally:
            process.kill()
            process.join()


def _work(pipe, module: str, cases: list[Any], more: tuple) -> None:
    try_case = importlib.import_module(module).try_case
    for case in cases:
        start = time.monotonic()
        outcome = try_case(case, *more)
        seconds = time.monotonic() - start
        if seconds > SECONDS:
            outcome = Outcome(outcome.case, "hang", f"{seconds:.0f} s")
        pipe.send(outcome)


def bound_memory() -> None:
    """Refuses this process more than 4 GiB beyond what it has mapped by now."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (mapped + BYTES, hard))

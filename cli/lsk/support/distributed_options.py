"""Options of commands that several processes may run together."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ls_base.backends import configured_backend
from ls_base.errors import InputError
from lsk.support.options import PROGRAM, TRAIN, Option
from lsk_engine.devices.local_workers import supervise
from lsk_engine.devices.parent_watch import stop_with_parent
from lsk_engine.devices.process_env import TPU, set_jax_env, set_tf_config

_BACKENDS = {  # whose options these are
    "workers": "tensorflow",
    "coordinator": "jax",
}
_SEVERAL = ("tensorflow", "jax")  # whose trainings may be of several processes of one machine
_NAMES = (
    "tpu",
    "workers",
    "worker_index",
    "coordinator",
    "processes",
    "process_id",
    "local_workers",
)


def local_workers(text: str) -> Option:
    """Returns the option `--local-workers`.

    Args:
        text: What it is for.
    """
    return click.option("--local-workers", type=int, metavar="N", help=text)


def options(command: Callable) -> Callable:
    """Adds the options that say where the processes of a run are."""
    for option in reversed(
        (
            click.option("--tpu", metavar="NAME", help="A TPU's name, or local (TensorFlow)."),
            click.option(
                "--workers",
                metavar="HOST:PORT,…",
                help="All workers, in one order for all; the first is the chief (TensorFlow).",
            ),
            click.option("--worker-index", type=int, help="Which of --workers this one is."),
            click.option("--coordinator", metavar="HOST:PORT", help="Process 0 (JAX)."),
            click.option("--processes", type=int, metavar="N", help="How many there are (JAX)."),
            click.option("--process-id", type=int, help="Which of --processes this one is."),
            local_workers("Start N processes on this machine, and look after them."),
        )
    ):
        command = option(command)
    return command


def find_place(chosen: dict[str, Any], backend: str | None, *, resume: bool = False) -> int | None:
    """Writes what the options say into the environment; returns how many to start here, if any.

    Args:
        chosen: The values of a command's options, those of `--strategy` and of `options` among
            them: these are taken out, and with a TPU the strategy is its own.
        backend: What `--backend` says.
        resume: Whether the command goes on with a run, whose strategy is settled.

    Raises:
        InputError: If they don't go together.
    """
    stop_with_parent()
    given = {name: chosen.pop(name) for name in _NAMES}
    together = (
        ("workers", "worker_index"),
        ("coordinator", "processes", "process_id"),
        ("local_workers",),
    )
    used = [group for group in together if any(given[name] is not None for name in group)]
    if len(used) > 1:
        shown = ", ".join(_option(group[0]) for group in used)
        raise InputError(f"Expected one way to say where processes are. Received: {shown}")
    for group in used:
        if missing := [_option(name) for name in group if given[name] is None]:
            raise InputError(
                f"Expected {', '.join(map(_option, group))} together. "
                f"Received: no {', '.join(missing)}"
            )
    kind = backend or configured_backend()
    for name, wanted in _BACKENDS.items():
        if given[name] is not None:
            _check_backend(name, kind, (wanted,))
    if given["tpu"] is not None:
        os.environ[TPU] = given["tpu"]
        if not resume:  # whose strategy is settled
            chosen["strategy"] = chosen["strategy"] or "tpu"
    if given["workers"] is not None:
        set_tf_config(given["workers"].split(","), given["worker_index"])
    if given["coordinator"] is not None:
        set_jax_env(given["coordinator"], given["processes"], given["process_id"])
    return several(given["local_workers"], kind)


def several(local_workers: int | None, backend: str) -> int | None:
    """Returns how many processes `--local-workers` asks for, if more than one.

    Raises:
        InputError: If they are fewer than one, or the backend trains in one process.
    """
    if local_workers is not None and local_workers < 1:
        raise InputError(f"Expected --local-workers of at least 1. Received: {local_workers}")
    if local_workers in (None, 1):
        return None
    _check_backend("local_workers", backend, _SEVERAL)
    return local_workers


def _check_backend(name: str, backend: str, able: tuple[str, ...]) -> None:
    if backend not in able:
        raise InputError(
            f"Expected {_option(name)} on the backend {' or '.join(able)} (--backend {able[0]}). "
            f"Received: {backend}"
        )


def train_command(
    local_workers: int | None, jobs: int, backend: str | None = None
) -> tuple[str, ...]:
    """Returns the command that trains a run of many: the run's path goes behind it.

    Args:
        local_workers: What `--local-workers` says.
        jobs: How many run at a time.
        backend: What `--backend` says.

    Raises:
        InputError: If several processes a run go with several runs at a time, or the backend trains
            in one process.
    """
    workers = several(local_workers, backend or configured_backend())
    if workers is None:
        return TRAIN
    if jobs > 1:
        raise InputError(
            "Expected --local-workers without --jobs: both would share this machine's devices. "
            f"Received: --local-workers {workers} --jobs {jobs}"
        )
    *command, resume = TRAIN
    return (*command, "--local-workers", str(workers), resume)


def start_all(workers: int, run: Path, *, resume: bool, say: Callable[[str], None]) -> int:
    """Starts this very command as often as there are workers; returns the exit code.

    Args:
        workers: How many.
        run: The run's directory, which they have to agree on.
        resume: Whether it is there already, and named on the command line.
        say: Told of failures.
    """
    arguments = _without(sys.argv[1:], "--local-workers")
    if not resume:
        arguments = [*_without(arguments, "--run-dir"), "--run-dir", str(run)]
    return supervise([*PROGRAM, *arguments], workers, say)


def _without(arguments: list[str], option: str) -> list[str]:
    """Returns arguments without an option and its value."""
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument != option and not argument.startswith(f"{option}="):
            kept.append(argument)
        skip = not skip and argument == option
    return kept


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"

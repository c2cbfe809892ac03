"""Options of commands that several processes can run together."""

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

_BACKENDS = {  # the backend of each option
    "workers": "tensorflow",
    "coordinator": "jax",
}
_LOCAL_BACKENDS = ("tensorflow", "jax")  # can train with several processes of one machine
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
        text: Its help.
    """
    return click.option("--local-workers", type=int, metavar="N", help=text)


def options(command: Callable) -> Callable:
    """Adds the options that describe the processes of a run."""
    for option in reversed(
        (
            click.option("--tpu", metavar="NAME", help="Name of a TPU, or local (TensorFlow)."),
            click.option(
                "--workers",
                metavar="HOST:PORT,…",
                help="Addresses of all workers, the chief first (TensorFlow).",
            ),
            click.option("--worker-index", type=int, help="Index of this process in --workers."),
            click.option("--coordinator", metavar="HOST:PORT", help="Address of process 0 (JAX)."),
            click.option("--processes", type=int, metavar="N", help="Number of processes (JAX)."),
            click.option("--process-id", type=int, help="Index of this process, from 0 (JAX)."),
            local_workers("Number of processes to start and supervise on this machine."),
        )
    ):
        command = option(command)
    return command


def configure_processes(
    chosen: dict[str, Any], backend: str | None, *, resume: bool = False
) -> int | None:
    """Sets the environment variables that the options stand for.

    Args:
        chosen: The values of a command's options, including `--strategy`. Those of `options` are
            removed; `--tpu` sets the strategy.
        backend: The value of `--backend`.
        resume: Whether the command resumes a run, whose strategy is fixed.

    Returns:
        The number of processes to start on this machine; `None`: only this one.

    Raises:
        InputError: If options contradict each other.
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
        raise InputError(f"Expected one way to describe the processes. Received: {shown}")
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
        if not resume:
            chosen["strategy"] = chosen["strategy"] or "tpu"
    if given["workers"] is not None:
        set_tf_config(given["workers"].split(","), given["worker_index"])
    if given["coordinator"] is not None:
        set_jax_env(given["coordinator"], given["processes"], given["process_id"])
    return num_local_workers(given["local_workers"], kind)


def num_local_workers(local_workers: int | None, backend: str) -> int | None:
    """Returns the value of `--local-workers` if it is more than one, else `None`.

    Raises:
        InputError: If it is less than one, or the backend trains in one process only.
    """
    if local_workers is not None and local_workers < 1:
        raise InputError(f"Expected --local-workers of at least 1. Received: {local_workers}")
    if local_workers in (None, 1):
        return None
    _check_backend("local_workers", backend, _LOCAL_BACKENDS)
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
    """Returns the command line that trains a run of a study; the run's path is appended.

    Args:
        local_workers: The value of `--local-workers`.
        jobs: Number of runs that are trained at a time.
        backend: The value of `--backend`.

    Raises:
        InputError: If both numbers are above one, or the backend trains in one process only.
    """
    workers = num_local_workers(local_workers, backend or configured_backend())
    if workers is None:
        return TRAIN
    if jobs > 1:
        raise InputError(
            "Expected --local-workers or --jobs, which would share this machine's devices. "
            f"Received: --local-workers {workers} --jobs {jobs}"
        )
    *command, resume = TRAIN
    return (*command, "--local-workers", str(workers), resume)


def start_all(workers: int, run: Path, *, resume: bool, warn: Callable[[str], None]) -> int:
    """Starts the current command once per worker, and returns the exit code.

    Args:
        workers: Number of workers.
        run: The run directory, the same for all.
        resume: Whether the run exists and is named on the command line already.
        warn: Receives the reason of a failure.
    """
    arguments = _without(sys.argv[1:], "--local-workers")
    if not resume:
        arguments = [*_without(arguments, "--run-dir"), "--run-dir", str(run)]
    return supervise([*PROGRAM, *arguments], workers, warn)


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

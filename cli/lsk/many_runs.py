"""What commands share that train many runs in processes of their own."""

import contextlib
import sys
from collections.abc import Iterator

import click

from lsk_engine.progress import Reporter

# What starts `lsk` anew, by the present Python: arguments go behind it.
PROGRAM = (sys.executable, "-m", "lsk")
# The command that trains a run: the run's path goes behind it.
TRAIN = (*PROGRAM, "train", "-q", "--resume")


@contextlib.contextmanager
def interruptible(reporter: Reporter) -> Iterator[None]:
    """Says how to go on after Ctrl-C or another signal, and exits with its code.

    Args:
        reporter: Who is told.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        reporter.warning("Interrupted; the same command goes on, with what is finished kept")
        raise click.exceptions.Exit(getattr(stop, "exit_code", 130)) from None

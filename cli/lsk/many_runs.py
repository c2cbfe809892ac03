"""What commands share that train many runs in processes of their own."""

import contextlib
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from lsk_engine.progress import Reporter

if TYPE_CHECKING:
    from lsk_engine.studies.study_result import StudyResult

# The command that trains a run: the run's path goes behind it.
TRAIN = (sys.executable, "-c", "from lsk.main import main; main()", "train", "-q", "--resume")


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


def show_sentences(result: "StudyResult") -> None:
    """Writes what a study found in sentences, what is missing, and what must be said of the data.

    Args:
        result: What it found.
    """
    for sentence in result.sentences:
        click.echo(textwrap.fill(sentence, 80, initial_indent="- ", subsequent_indent="  "))
    for error, runs in result.reasons().items():
        click.echo(f"Missing: {', '.join(runs)}: {error}")
    for note in result.notes:
        click.echo(f"Note: {note}")

"""The `lsk` program: its commands, and how it ends."""

import os
import signal
import sys
import warnings
from typing import TextIO

# Hides TensorFlow's messages at import, unless the user has set a level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click

from ls_base import __version__
from ls_base.errors import LsKerasError
from lsk.support.commands import Commands, OutputClosedError
from lsk_engine.progress import clear_lines, wrap_message

# Each is a module of this package, with a function of the same name; in the order of the help.
COMMANDS = (
    *("prepare", "train", "distill", "evaluate", "calibrate", "reliability", "diagnose"),
    *("project", "probe", "sweep-temperature", "sweep-beams", "sweep-distillation"),
    *("study", "reproduce", "runs", "compare", "report", "show", "settings", "tasks"),
)


@click.group(cls=Commands, names=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lsk")
def cli() -> None:
    """Label smoothing: train, calibrate, decode and look inside.

    Start with `lsk tasks`, then `lsk train --task translation --alpha 0.1`.
    """
    import logging  # not needed for --help and --version

    if not _is_verbose():
        # Hides TensorFlow's advice about retracing, as searches are compiled for each length.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def main() -> None:
    """Runs `lsk`; `docs/cli.md` lists the exit codes.

    A user's mistake becomes one line on stderr and exit code 2.
    """
    if not _is_verbose():
        warnings.simplefilter("ignore")
    try:
        code = _run()
    except (BrokenPipeError, OutputClosedError):
        _discard(sys.stdout, sys.stderr)
        code = 141
    sys.exit(code)


def _run() -> int:
    """Runs the command, reports its error, and returns the exit code."""
    try:
        code = _call()
        if sys.stdout is not None:  # it is None after `>&-`
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except LsKerasError as error:
        _report(str(error))
        return error.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:
        if _is_verbose():
            raise
        _discard(sys.stdout)
        _report(f"The operating system refused an operation: {error}")
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted", err=True)
        return 130


def _call() -> object:
    """Calls the command and returns the code of a `click.exceptions.Exit`.

    Keras and TensorFlow may turn Ctrl-C into another exception, so the signal is recorded.
    """
    interrupts = []

    def record(number, frame):
        interrupts.append(number)
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # otherwise it is ignored, or handled elsewhere
        signal.signal(signal.SIGINT, record)
    try:
        return cli.main(standalone_mode=False)
    except Exception:
        if interrupts:
            raise KeyboardInterrupt from None
        raise
    finally:
        clear_lines()
        if handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, handler)


def _report(message: str) -> None:
    text = f"Error: {message}"
    click.echo(text if sys.stderr is None else wrap_message(text, sys.stderr), err=True)


def _discard(*outputs: TextIO | None) -> None:
    """Redirects outputs to nowhere, so that Python does not fail to flush them at exit.

    Their reader has gone (`| head`), or the disk is full.
    """
    for output in outputs:
        if output is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())


def _is_verbose() -> bool:
    return "-v" in sys.argv or "--verbose" in sys.argv

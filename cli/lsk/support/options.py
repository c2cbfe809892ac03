"""Options that several commands share, those of plugins included."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from ls_base.backends import BACKENDS
from ls_base.errors import InputError
from ls_base.files import nan_to_none
from lsk_engine.progress import Reporter
from lsk_engine.settings.training import STRATEGIES

# Starts `lsk` in a new process; the arguments are appended.
PROGRAM = (sys.executable, "-m", "lsk")
# Trains a run in a new process; the run's path is appended.
TRAIN = (*PROGRAM, "train", "-q", "--resume")

Option = Callable[[Callable], Callable]


class FloatOrFitted(click.ParamType):
    """A number, or the word `fitted`.

    Args:
        letter: The name of the number in the help.
    """

    def __init__(self, letter: str):
        self.name = f"{letter}|fitted"

    def convert(self, value, param, ctx):
        """Returns a float, or `"fitted"`."""
        if value == "fitted":
            return value
        try:
            return float(value)
        except ValueError:
            self.fail(f"Expected a number or 'fitted'. Received: {value!r}", param, ctx)


class Numbers(click.ParamType):
    """Numbers separated by commas."""

    name = "numbers"

    def convert(self, value, param, ctx):
        """Returns a sorted tuple of distinct floats."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(sorted({float(part) for part in value.split(",")}))
        except ValueError:
            self.fail(f"Expected numbers separated by commas. Received: {value!r}", param, ctx)


class Names(click.ParamType):
    """Names separated by commas."""

    name = "names"

    def convert(self, value, param, ctx):
        """Returns a tuple of strings."""
        if isinstance(value, tuple):
            return value
        return tuple(name for part in value.split(",") if (name := part.strip()))


quiet = click.option("-q", "--quiet", is_flag=True, help="Show warnings only, no progress.")
backend = click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Keras backend. [default: KERAS_BACKEND, or Keras's own default]",
)
as_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write one JSON object to stdout, and everything else to stderr.",
)
jobs = click.option(
    "--jobs", type=int, default=1, show_default=True, help="Number of trainings at a time."
)
scheduler = click.option(
    "--scheduler",
    metavar="ADDRESS|local:N",
    help="Train on the workers of this Dask scheduler, one run each.",
)
data = click.option("--data", help="Name of a data set, or a path.")
model = click.option(
    "--model", metavar="NAME", help="Network of the task; FILE.py:function for the task keras."
)
config_file = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="File of settings, as `lsk settings` prints them; options override it.",
)
max_examples = click.option(
    "--max-examples",
    type=int,
    metavar="N",
    help="Use N random examples of each split, for a quick look.",
)
temperature = click.option(
    "--temperature",
    type=FloatOrFitted("T"),
    help="Divisor T of the logits, or `fitted` for that of `lsk calibrate`. [default: 1]",
)
unsmooth = click.option(
    "--unsmooth",
    type=FloatOrFitted("A"),
    help="Remove label smoothing A from the probabilities when decoding; `fitted`: the A of the "
    "training. [default: the run's, 0]",
)


def settings(text: str) -> Option:
    """Returns the repeatable option `--set`.

    Args:
        text: The help text.
    """
    return click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=text)


def runs_folder(default: str) -> Option:
    """Returns the option `--out` for the folder of many runs and their results.

    Args:
        default: The default in the help text.
    """
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Folder of runs and results. [default: {default}]",
    )


def devices(command: Callable) -> Callable:
    """Adds `--strategy` and `--devices` to a command."""
    strategy = click.option(
        "--strategy", type=click.Choice(STRATEGIES), help="Distribution strategy. [default: auto]"
    )
    return strategy(
        click.option("--devices", type=int, help="Number of devices. [default: all]")(command)
    )


def verbosity(command: Callable) -> Callable:
    """Adds `-v` and `-q` to a command."""
    return quiet(click.option("-v", "--verbose", is_flag=True, help="Verbose output.")(command))


def image(default: str) -> Option:
    """Returns the option `--output` for an image file.

    Args:
        default: The default file name.
    """
    return click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path(default),
        show_default=True,
        help="Image file; an SVG and its numbers as CSV and JSON go beside it.",
    )


def beam(default: int | None = None) -> Option:
    """Returns the option `--beam`.

    Args:
        default: The default of the task's runs; `None` if tasks differ.
    """
    default_text = "the run's" if default is None else f"the run's, {default}"
    text = f"Number of live beams; 1 is greedy search. [default: {default_text}]"
    return click.option("--beam", type=int, help=text)


def length_penalty(default: float) -> Option:
    """Returns the option `--length-penalty`.

    Args:
        default: The default of the task's runs.
    """
    return click.option(
        "--length-penalty",
        type=float,
        help="Exponent a of ((5 + length) / 6)^a, which divides log p. "
        f"[default: the run's, {default:g}]",
    )


def n_best(text: str) -> Option:
    """Returns the option `--n-best`.

    Args:
        text: The help text.
    """
    return click.option("--n-best", type=int, metavar="N", help=text)


def scores(output: str) -> Option:
    """Returns the option `--scores`.

    Args:
        output: The thing that has a score, such as "translation".
    """
    return click.option(
        "--scores", is_flag=True, help=f"Write the score and a tab before each {output}."
    )


def batch_size(examples: str, default: int | None = None) -> Option:
    """Returns the option `--batch-size`.

    Args:
        examples: The things that are decoded, as the first word of the help text.
        default: The default of the task's runs; `None` if tasks differ.
    """
    default_text = "the run's" if default is None else f"the run's, {default}"
    text = f"{examples} decoded at a time. [default: {default_text}]"
    return click.option("--batch-size", type=int, help=text)


def reporter(verbose: bool, quiet: bool) -> Reporter:
    """Returns a reporter on stderr.

    Args:
        verbose: Whether to show details.
        quiet: Whether to show warnings only.
    """
    return Reporter(verbosity=int(verbose) - int(quiet))


def echo_json(value: object) -> None:
    """Writes one JSON object to stdout; numbers that are not finite become `null`."""
    click.echo(json.dumps(nan_to_none(value), ensure_ascii=False))


def assignments(texts: Iterable[str], option: str = "--set") -> dict[str, str]:
    """Returns the keys and values of options such as `--set KEY=VALUE`.

    Args:
        texts: The values of the option.
        option: The name of the option.

    Raises:
        InputError: If a text has no `=`, or if both epochs and steps are set.
    """
    from lsk_engine.settings.resolving import resolve_epochs_and_steps

    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise InputError(f"Expected {option} KEY=VALUE. Received: {text!r}")
        found[key.strip()] = value.strip()
    resolve_epochs_and_steps(found)
    return found


def read_stdin(what: str, most: int) -> bytes:
    """Returns the contents of stdin.

    Args:
        what: The expected contents, for error messages.
        most: The largest number of bytes.

    Raises:
        InputError: If stdin is closed (`<&-`), or has more bytes.
    """
    if sys.stdin is None:
        raise InputError(f"Expected {what} on stdin. Received: stdin is closed")
    content = sys.stdin.buffer.read(most + 1)
    if len(content) > most:
        raise InputError(
            f"Expected at most {most:,} bytes of {what} at once. Received: more on stdin"
        )
    return content


@contextlib.contextmanager
def interruptible(reporter: Reporter) -> Iterator[None]:
    """Turns Ctrl-C and other signals into a message how to continue, and an exit code.

    Args:
        reporter: Receives the message.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        reporter.warning("Interrupted; the same command continues and keeps finished work")
        raise click.exceptions.Exit(getattr(stop, "exit_code", 130)) from None

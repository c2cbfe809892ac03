"""Options that commands share, those of plugins too."""

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


def read_stdin(what: str, most: int) -> bytes:
    """Returns all that comes on stdin.

    Args:
        what: What is expected there.
        most: How many bytes it may have.

    Raises:
        InputError: If stdin is closed (`<&-`), or there is more.
    """
    if sys.stdin is None:
        raise InputError(f"Expected {what} on stdin. Received: stdin is closed")
    content = sys.stdin.buffer.read(most + 1)
    if len(content) > most:
        raise InputError(
            f"Expected at most {most:,} bytes of {what} at once. Received: more on stdin"
        )
    return content


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


Option = Callable[[Callable], Callable]

quiet = click.option("-q", "--quiet", is_flag=True, help="Only warnings, no progress.")
backend = click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Keras backend. [default: KERAS_BACKEND, else Keras's own]",
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, all else on stderr."
)
jobs = click.option("--jobs", type=int, default=1, show_default=True, help="Trainings at a time.")
scheduler = click.option(
    "--scheduler",
    metavar="ADDRESS|local:N",
    help="Let the workers of this Dask scheduler train, a run each.",
)
data = click.option("--data", help="A data set's name, or a path.")
model = click.option(
    "--model", metavar="NAME", help="A network of the task; of task keras, FILE.py:function."
)
config_file = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Settings from a file, as `lsk settings` prints them; options go first.",
)
max_examples = click.option(
    "--max-examples",
    type=int,
    metavar="N",
    help="A quick look: N examples of each split, drawn at random.",
)


def settings(text: str) -> Option:
    """Adds `--set`, as often as one likes.

    Args:
        text: What may be set.
    """
    return click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=text)


def runs_folder(default: str) -> Option:
    """Adds `--out`, the folder of many runs and of what comes of them.

    Args:
        default: What it is called otherwise.
    """
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Folder of runs and results. [default: {default}]",
    )


def devices(command: Callable) -> Callable:
    """Adds `--strategy` and `--devices`."""
    strategy = click.option(
        "--strategy", type=click.Choice(STRATEGIES), help="How devices share. [default: auto]"
    )
    return strategy(
        click.option("--devices", type=int, help="Number of devices. [default: all]")(command)
    )


def verbosity(command: Callable) -> Callable:
    """Adds `-v` and `-q`."""
    return quiet(click.option("-v", "--verbose", is_flag=True, help="Say more.")(command))


def image(default: str) -> Option:
    """Adds `--output`, an image's file.

    Args:
        default: The file's name.
    """
    return click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path(default),
        show_default=True,
        help="The image; an SVG and its numbers, as CSV and JSON, go beside it.",
    )


class FloatOrFitted(click.ParamType):
    """A number, or the word `fitted`.

    Args:
        letter: What the number is called in the help.
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
    """Numbers with commas between them."""

    name = "numbers"

    def convert(self, value, param, ctx):
        """Returns a sorted tuple of floats."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(sorted({float(part) for part in value.split(",")}))
        except ValueError:
            self.fail(f"Expected numbers separated by commas. Received: {value!r}", param, ctx)


class Names(click.ParamType):
    """Names with commas between them."""

    name = "names"

    def convert(self, value, param, ctx):
        """Returns a tuple of strings."""
        if isinstance(value, tuple):
            return value
        return tuple(name for part in value.split(",") if (name := part.strip()))


temperature = click.option(
    "--temperature",
    type=FloatOrFitted("T"),
    help="T that divides the logits, or the one that `lsk calibrate` fitted. [default: 1]",
)


unsmooth = click.option(
    "--unsmooth",
    type=FloatOrFitted("A"),
    help="Undo smoothing: the α whose αq is taken off the probabilities, or that of the training. "
    "[default: the run's, 0]",
)


def beam(default: int | None = None) -> Option:
    """Adds `--beam`.

    Args:
        default: What a run has, if it says nothing else; `None`: tasks differ.
    """
    otherwise = "the run's" if default is None else f"the run's, {default}"
    text = f"Live beams; 1 is greedy search. [default: {otherwise}]"
    return click.option("--beam", type=int, help=text)


def length_penalty(default: float) -> Option:
    """Adds `--length-penalty`.

    Args:
        default: What a run has, if it says nothing else.
    """
    return click.option(
        "--length-penalty",
        type=float,
        help="Exponent a of ((5 + length) / 6)^a, which divides log p. "
        f"[default: the run's, {default:g}]",
    )


def n_best(text: str) -> Option:
    """Adds `--n-best`.

    Args:
        text: What comes out.
    """
    return click.option("--n-best", type=int, metavar="N", help=text)


def scores(output: str) -> Option:
    """Adds `--scores`.

    Args:
        output: What has a score.
    """
    return click.option(
        "--scores", is_flag=True, help=f"Each {output}'s score and a tab before it."
    )


def batch_size(examples: str, default: int | None = None) -> Option:
    """Adds `--batch-size`.

    Args:
        examples: What is decoded, as the first word of the help.
        default: What a run has, if it says nothing else; `None`: tasks differ.
    """
    otherwise = "the run's" if default is None else f"the run's, {default}"
    text = f"{examples} decoded together. [default: {otherwise}]"
    return click.option("--batch-size", type=int, help=text)


def reporter(verbose: bool, quiet: bool) -> Reporter:
    """Returns who is told, and how much."""
    return Reporter(verbosity=int(verbose) - int(quiet))


def echo_json(value: object) -> None:
    """Writes one JSON object to stdout; numbers that are not finite are `null`."""
    click.echo(json.dumps(nan_to_none(value), ensure_ascii=False))


def assignments(texts: Iterable[str], option: str = "--set") -> dict[str, str]:
    """Returns what options such as `--set KEY=VALUE` say, values as they were typed.

    Args:
        texts: What they were given.
        option: What they are called.

    Raises:
        InputError: If one says something else, or if they say how many epochs and how many steps.
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

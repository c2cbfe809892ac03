"""Options that commands share."""

from collections.abc import Callable, Iterable

import click

from lsk_engine.devices.backend import BACKENDS
from lsk_engine.progress import Reporter


def verbosity(command: Callable) -> Callable:
    """Adds `-v` and `-q`."""
    command = click.option("-v", "--verbose", is_flag=True, help="Say more.")(command)
    return click.option("-q", "--quiet", is_flag=True, help="Only warnings, no progress.")(command)


def backend(command: Callable) -> Callable:
    """Adds `--backend`."""
    return click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        help="Keras backend. [default: KERAS_BACKEND, else tensorflow]",
    )(command)


def as_json(command: Callable) -> Callable:
    """Adds `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object on stdout, all else on stderr."
    )(command)


def reporter(verbose: bool, quiet: bool) -> Reporter:
    """Returns who is told, and how much."""
    return Reporter(verbosity=int(verbose) - int(quiet))


def assignments(texts: Iterable[str]) -> dict[str, str]:
    """Returns what `--set KEY=VALUE` options say, values as they were typed."""
    from ls_base.errors import InputError

    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise InputError(f"Expected --set KEY=VALUE. Received: {text!r}")
        found[key.strip()] = value.strip()
    return found

"""The `lsk` command: its group, where commands come from, and how errors look."""

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

# TensorFlow's notes on its own start-up concern nobody here; a user's setting wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click

from ls_base import __version__
from ls_base.errors import LsKerasError, suggest
from lsk.calibrate import calibrate
from lsk.compare import compare
from lsk.diagnose import diagnose
from lsk.distill import distill
from lsk.evaluate import evaluate
from lsk.prepare import prepare
from lsk.probe import probe
from lsk.project import project
from lsk.reliability import reliability
from lsk.report import report
from lsk.reproduce import reproduce
from lsk.runs import runs
from lsk.settings import settings
from lsk.show import show
from lsk.study import study
from lsk.support.help_formatter import Context
from lsk.support.usage_errors import in_our_words
from lsk.sweep_beams import sweep_beams
from lsk.sweep_distillation import sweep_distillation
from lsk.sweep_temperature import sweep_temperature
from lsk.tasks import tasks
from lsk.train import train
from lsk_engine.progress import clear_lines, fitted
from lsk_engine.tasks.registry import COMMAND_GROUP, Plugin, plugins


class _UnreadError(Exception):
    """Whoever read the output has gone: no `OSError`, of which Click would make exit code 1."""


class Commands(click.Group):
    """The commands of this package, and those that plugins contribute.

    A plugin's command is imported when it is called or listed; one that is broken says so in its
    place and hinders no other.
    """

    context_class = Context

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Reads the arguments, and shows the help that they ask for."""
        with _told_apart():
            return super().make_context(*args, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return [*super().list_commands(ctx), *_contributed(ctx)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Returns the command `name`, imported if a plugin brings it."""
        command = super().get_command(ctx, name)
        if command is None and name in _contributed(ctx):
            try:
                command = _contributed(ctx)[name].load()
            except LsKerasError as error:
                command = _broken(name, error)
        if command is not None:
            command.context_class = Context
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """Adds near matches to the message about an unknown command."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(
                f"Expected a command. {suggest(args[0], self.list_commands(ctx))}", ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context):
        """Runs a command; what TensorFlow advises is for those who asked for more."""
        import logging  # help and version come without

        if not _verbose():
            # Searches are compiled for each length that comes, and TensorFlow advises against it.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        try:
            with _told_apart():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            clear_lines()  # Click ends the line next
            raise
        except click.UsageError as error:
            raise in_our_words(error) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lsk")
def cli() -> None:
    """Label smoothing: train, calibrate, decode and look inside.

    Start with `lsk tasks`, then `lsk train --task translation --alpha 0.1`.
    """


for _command in (
    prepare,
    train,
    distill,
    evaluate,
    calibrate,
    reliability,
    diagnose,
    project,
    probe,
    sweep_temperature,
    sweep_beams,
    sweep_distillation,
    study,
    reproduce,
    runs,
    compare,
    report,
    show,
    settings,
    tasks,
):
    cli.add_command(_command)


def main() -> None:
    """Runs `lsk`; a user's mistake is one line and exit code 2, which `docs/cli.md` lists."""
    if not _verbose():
        warnings.simplefilter("ignore")
    try:
        code = _ended()
    except (BrokenPipeError, _UnreadError):
        _drop(sys.stdout, sys.stderr)
        code = 141
    sys.exit(code)


def _ended() -> int:
    """Calls the command, tells what went wrong, and returns the exit code."""
    try:
        code = _called()
        if sys.stdout is not None:  # as `>&-` has it
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except LsKerasError as error:
        _tell(f"Error: {error}")
        return error.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is ours to explain is an `LsKerasError` by now.
        if _verbose():
            raise
        _drop(sys.stdout)
        _tell(f"Error: Expected the system to do as asked. Received: {error}")
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted", err=True)
        return 130


def _called() -> object:
    """Calls the command, and returns the code of a `click.exceptions.Exit`.

    A Ctrl-C within Keras or TensorFlow may come out as another error: it stays a Ctrl-C.
    """
    came = []

    def note(number, frame):
        came.append(number)
        raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # neither ignored nor in other hands
        signal.signal(signal.SIGINT, note)
    try:
        return cli.main(standalone_mode=False)
    except Exception:
        if came:
            raise KeyboardInterrupt from None
        raise
    finally:
        clear_lines()
        if usual is signal.default_int_handler:
            signal.signal(signal.SIGINT, usual)


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _UnreadError from error


def _tell(text: str) -> None:
    click.echo(text if sys.stderr is None else fitted(text, sys.stderr), err=True)


def _drop(*outputs: TextIO | None) -> None:
    """Leaves nothing to be flushed at exit: its reader has gone (`| head`), or its disk is full."""
    for output in outputs:
        if output is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())


def _verbose() -> bool:
    return "-v" in sys.argv or "--verbose" in sys.argv


def _contributed(ctx: click.Context) -> dict[str, Plugin]:
    """Returns the commands of plugins by name; they are looked for once a call."""
    if COMMAND_GROUP not in ctx.meta:
        ctx.meta[COMMAND_GROUP] = {plugin.name: plugin for plugin in plugins(COMMAND_GROUP)}
    return ctx.meta[COMMAND_GROUP]


def _broken(name: str, error: LsKerasError) -> click.Command:
    @click.command(
        name, short_help="(broken plugin)", context_settings={"ignore_unknown_options": True}
    )
    @click.argument("arguments", nargs=-1)
    def broken(arguments: tuple[str, ...]) -> None:
        raise error

    return broken

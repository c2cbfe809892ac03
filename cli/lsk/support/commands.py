"""The command group of `lsk`: commands imported on use, commands of plugins, help, usage errors."""

import contextlib
import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from ls_base.errors import LsKerasError, suggest
from lsk_engine.progress import clear_lines
from lsk_engine.tasks.registry import COMMAND_GROUP, Plugin, plugins

_HYPHEN = "\u2011"  # replaces hyphens while Click breaks lines, because Click breaks after hyphens
_EXTRA = "Got unexpected extra argument"  # Click has no exception class for it


class OutputClosedError(Exception):
    """Raised if the reader of the output has gone.

    It is no `OSError`, because Click ends with exit code 1 for a `BrokenPipeError`.
    """


class HelpFormatter(click.HelpFormatter):
    """Click's formatter, without line breaks inside of names such as `beam-sweep.png`."""

    def write(self, string: str) -> None:
        """Writes a text with its hyphens."""
        super().write(string.replace(_HYPHEN, "-"))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Writes the usage line."""
        super().write_usage(prog, _unbreakable(args), prefix)

    def write_text(self, text: str) -> None:
        """Writes paragraphs."""
        super().write_text(_unbreakable(text))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Writes a list of options or commands with their meaning."""
        super().write_dl([(a, _unbreakable(b)) for a, b in rows], col_max, col_spacing)


class Context(click.Context):
    """Click's context, with `HelpFormatter`."""

    formatter_class = HelpFormatter


class Commands(click.Group):
    """The commands of this package, and those of plugins.

    Each command is imported when it is called or listed. A broken plugin reports its error when it
    is called, and the other commands still work.

    Args:
        names: The names of this package's commands in the order of the help. Each is in a module
            and has a function of the same name, with underscores.
        **settings: The arguments of `click.Group`.
    """

    context_class = Context

    def __init__(self, *args: Any, names: Sequence[str] = (), **settings: Any):
        super().__init__(*args, **settings)
        self.names = names

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parses the arguments, and shows the help if they ask for it."""
        with _closed_output():
            return super().make_context(*args, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return [*self.names, *_plugin_commands(ctx)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Imports and returns a command; `None` if there is none of that name."""
        command: click.Command | None = None
        if name in self.names:
            attribute = name.replace("-", "_")
            command = getattr(importlib.import_module(f"lsk.{attribute}"), attribute)
        elif name in _plugin_commands(ctx):
            try:
                command = _plugin_commands(ctx)[name].load()
            except LsKerasError as error:
                command = _broken(name, error)
        if command is not None:
            command.context_class = Context
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """Finds the command, with near matches in the error about an unknown one."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(
                f"Expected a command. {suggest(args[0], self.list_commands(ctx))}", ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context):
        """Runs the command."""
        try:
            with _closed_output():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            clear_lines()  # Click writes a line break next
            raise
        except click.UsageError as error:
            raise reword_usage_error(error) from None


def reword_usage_error(error: click.UsageError) -> click.UsageError:
    """Returns Click's error about options and arguments as "Expected …. Received: …".

    Args:
        error: Click's error; other usage errors are returned unchanged.
    """
    if error.ctx is None:
        return error
    path = error.ctx.command_path
    if isinstance(error, click.NoSuchOption):
        known = [name for param in error.ctx.command.params for name in param.opts]
        known = [name for name in known if name.startswith("--")]
        given = error.option_name
        end = suggest(given, known) if given.startswith("--") else f"Received: {given!r}"
        return click.UsageError(f"Expected an option that `{path}` has. {end}", error.ctx)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        name, meaning = error.param.make_metavar(error.ctx), getattr(error.param, "help", None)
        if isinstance(error.param, click.Option):
            name = f"{max(error.param.opts, key=len)} {name}"
        meaning = f" ({meaning[0].lower()}{meaning[1:].rstrip('.')})" if meaning else ""
        return click.UsageError(f"Expected {name}{meaning}. Received: none", error.ctx)
    if error.message.startswith(_EXTRA):
        received = error.message.partition("(")[2].removesuffix(")")
        return click.UsageError(
            f"Expected no argument after those of `{path}` (a path with spaces needs quotes). "
            f"Received: {received}",
            error.ctx,
        )
    return error


@contextlib.contextmanager
def _closed_output() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosedError from error


def _unbreakable(text: str) -> str:
    return text.replace("-", _HYPHEN)


def _plugin_commands(ctx: click.Context) -> dict[str, Plugin]:
    """Returns the commands of plugins by name; the installed packages are searched once."""
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

"""Click's own errors in the words of the others: what is expected, and what was received."""

import click

from ls_base.errors import suggest

_EXTRA = "Got unexpected extra argument"  # Click has no class for it


def in_our_words(error: click.UsageError) -> click.UsageError:
    """Returns an error about options and arguments as `lsk` tells it; others as they are.

    Args:
        error: What Click raised.
    """
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        known = [name for param in error.ctx.command.params for name in param.opts]
        known = [name for name in known if name.startswith("--")]
        given, path = error.option_name, error.ctx.command_path
        told = suggest(given, known) if given.startswith("--") else f"Received: {given!r}"
        return click.UsageError(f"Expected an option that `{path}` has. {told}", error.ctx)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        what, meant = _name(error.param, error.ctx), getattr(error.param, "help", None)
        meant = f" ({meant[0].lower()}{meant[1:].rstrip('.')})" if meant else ""
        return click.UsageError(f"Expected {what}{meant}. Received: none", error.ctx)
    if error.ctx is not None and error.message.startswith(_EXTRA):
        _, _, received = error.message.partition("(")
        path = error.ctx.command_path
        return click.UsageError(
            f"Expected no argument after those of `{path}` (a path with spaces needs quotes). "
            f"Received: {received.removesuffix(')')}",
            error.ctx,
        )
    return error


def _name(param: click.Parameter, ctx: click.Context | None) -> str:
    if isinstance(param, click.Option):
        metavar = param.metavar or param.type.name.upper()
        return f"{max(param.opts, key=len)} {metavar}"
    return param.make_metavar(ctx) if ctx is not None else param.human_readable_name

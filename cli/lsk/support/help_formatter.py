"""How the lines of `--help` are broken: between words, and never inside of a name."""

from collections.abc import Iterable

import click

_WHOLE = "\u2011"  # stands for a hyphen while Click, which would break there, breaks lines


class HelpFormatter(click.HelpFormatter):
    """Click's, without line breaks after the hyphens of names such as `beam-sweep.png`."""

    def write(self, string: str) -> None:
        """Writes a text, hyphens as they were."""
        super().write(string.replace(_WHOLE, "-"))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Writes how a command is called."""
        super().write_usage(prog, _whole(args), prefix)

    def write_text(self, text: str) -> None:
        """Writes paragraphs."""
        super().write_text(_whole(text))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Writes options or commands, and what they mean."""
        whole = [(first, _whole(second)) for first, second in rows]
        super().write_dl(whole, col_max, col_spacing)


class Context(click.Context):
    """Click's, with our help."""

    formatter_class = HelpFormatter


def _whole(text: str) -> str:
    return text.replace("-", _WHOLE)

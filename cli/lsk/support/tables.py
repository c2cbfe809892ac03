"""Tables on a terminal, of 60 columns or of 160: no line is wider, and no number is broken."""

import itertools
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from lsk_engine.reports.tables import Table

_PIPE = 160  # columns where there is no terminal, which would break lines that programs read
_GAP, _INDENT = 2, 4
_NBSP = "\u00a0"
_LEAST_LABEL, _MOST_CORNER, _MOST_HEAD = 16, 28, 20


def width() -> int:
    """Returns how many columns there are: `COLUMNS`, or the terminal's."""
    return max(shutil.get_terminal_size((_PIPE, 24)).columns, 20)


def echo(*shown: "RenderableType") -> None:
    """Writes to stdout, in as many columns as there are; a terminal gets bold headings.

    Args:
        *shown: Texts, or what rich can draw.
    """
    click.echo(drawn(*shown), nl=False)


def echo_saved(image: Path) -> None:
    """Says where a figure is, as `ls_keras.plots.save` was told."""
    from ls_keras.plots.saving import image_path  # which has drawn it

    click.echo(f"Saved: {image_path(image)}")


def drawn(*shown: "RenderableType") -> str:
    """Returns what `echo` writes."""
    console = _console()
    # Not printed by rich, which would end the process if nobody reads.
    with console.capture() as captured:
        for one in shown:
            console.print(one, crop=False)  # a path may be longer than a line
    return "\n".join(line.rstrip() for line in captured.get().split("\n"))


def _console() -> "Console":
    from rich.console import Console  # `lsk --help` doesn't wait for it

    return Console(width=width(), highlight=False, markup=False, emoji=False)


def listed(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), *, right: Sequence[int] = ()
) -> "RenderableType":
    """Returns rows as a table: the last column is wrapped where it has to be, the first may be.

    Args:
        rows: Texts.
        head: Headings; none: there are none.
        right: Columns that are aligned on the right.
    """
    from rich.table import Table as Drawn

    rows = [list(row) for row in rows]
    table = Drawn(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=bool(head))
    columns = max((len(row) for row in rows), default=len(head))
    for column in range(columns):
        table.add_column(
            head[column] if head else "",
            justify="right" if column in right else "left",
            no_wrap=0 < column < columns - 1,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    return table


def upright(table: "Table", *, caption: str | None = None) -> "RenderableType":
    """Returns a report's table with a line for each of its columns, so that many of them fit.

    What doesn't fit side by side comes below. A number and its interval stay together.

    Args:
        table: Its first columns, of texts, are the headings.
        caption: What stands above the labels. Default: what the table is called.
    """
    from rich.console import Group

    labels = [label for label, _ in table.headings()]
    heads = len(list(itertools.takewhile(lambda one: not one[1], table.headings())))
    names = [" ".join(cell.text for cell in row[:heads] if cell.text) for row in table.rows()]
    rows = [
        (label, [row[heads + n].text for row in table.rows()])
        for n, label in enumerate(labels[heads:])
    ]
    parts: list[RenderableType] = list(
        grid(table.caption if caption is None else caption, names, rows)
    )
    if table.note:
        parts.append(note(table.note))
    return Group(*parts)


def paragraph(text: str, *, first: str = "") -> "RenderableType":
    """Returns a text that is broken between words, with a hanging indent; no path is broken.

    Args:
        text: The text.
        first: What its first line begins with.
    """
    return _lines(text, "", first=first)


def lying(table: "Table", *, caption: str | None = None) -> "RenderableType":
    """Returns a report's table with a line for each of its rows.

    Columns that don't fit beside the others come below them, with the labels again. A number and
    its interval stay together.

    Args:
        table: Its first column, of texts, is the labels.
        caption: What stands above the labels. Default: what the column is called.
    """
    from rich.console import Group

    (corner, _), *others = [
        # No arrow on a line of its own.
        (head.replace(" ↓", f"{_NBSP}↓").replace(" ↑", f"{_NBSP}↑"), numeric)
        for head, numeric in table.headings()
    ]
    corner = corner if caption is None else caption
    rows = [(row[0].text, [cell.text for cell in row[1:]]) for row in table.rows()]
    left = [n for n, (_, numeric) in enumerate(others) if not numeric]
    parts: list[RenderableType] = list(grid(corner, [head for head, _ in others], rows, left=left))
    if table.note:
        parts.append(note(table.note))
    return Group(*parts)


def note(text: str) -> "RenderableType":
    """Returns what has to be known to read a table, as it stands below it."""
    return _lines(text, "dim")


def _lines(text: str, style: str, *, first: str = "") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    lines = textwrap.wrap(
        text.replace(" %", f"{_NBSP}%"),
        width(),
        initial_indent=first,
        subsequent_indent=" " * min(len(first), _INDENT),
        break_long_words=False,
        break_on_hyphens=False,
    )
    whole = "\n".join(lines).replace(_NBSP, " ")
    # In a group, as rich joins texts to one that is wrapped.
    return Group(Text(whole, style, no_wrap=True, overflow="ignore"))


def grid(
    corner: str,
    names: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    *,
    left: Sequence[int] = (),
) -> "Iterable[RenderableType]":
    """Yields as many tables as it takes, below one another, for columns that have to be whole.

    Args:
        corner: What stands above the labels.
        names: Of the columns.
        rows: A label and a cell for each column.
        left: Columns that are aligned on the left, as texts are.
    """
    from rich.table import Table as Drawn

    total = width()
    cells = [max((len(row[n]) for _, row in rows), default=0) for n in range(len(names))]
    wide = [
        min(max(of_column, min(_longest_word(name), _MOST_HEAD)), total - _LEAST_LABEL - _GAP)
        for of_column, name in zip(cells, names, strict=True)
    ]
    longest = max(min(len(corner), _MOST_CORNER), *(len(label) for label, _ in rows), 1)
    least = min(longest, _LEAST_LABEL)
    widest = max(min(longest, total - max(wide, default=0) - _GAP), least)
    # Labels are wrapped where more columns stand side by side for it.
    label_width, blocks = min(
        ((n, _blocks(wide, total - n)) for n in range(widest, least - 1, -1)),
        key=lambda found: len(found[1]),
    )
    for number, columns in enumerate(blocks):
        table = Drawn(box=None, pad_edge=False, padding=(0, 0, 0, 0), collapse_padding=True)
        table.add_column(corner, width=label_width, overflow="fold")
        for column in columns:
            head = "\n".join(textwrap.wrap(names[column], max(wide[column], 1)))
            head = head.replace(_NBSP, " ")
            if column in left:  # the gap stands before, as of numbers
                head = textwrap.indent(head, " " * _GAP)
                table.add_column(head, width=wide[column] + _GAP, overflow="fold")
            else:
                table.add_column(head, justify="right", width=wide[column] + _GAP, overflow="fold")
        for label, values in rows:
            if label_width < longest:  # no arrow on a line of its own
                label = label.replace(" ↓", "↓").replace(" ↑", "↑")
            shown = (" " * _GAP * (n in left) + values[n] for n in columns)
            table.add_row(label, *shown)
        if number:
            yield ""
        yield table


def _longest_word(text: str) -> int:
    return max(map(len, text.split(" ")))


def _blocks(wide: Sequence[int], room: int) -> list[list[int]]:
    """Returns which columns stand side by side."""
    blocks: list[list[int]] = []
    left = 0
    for column, needed in enumerate(wide):
        if not blocks or needed + _GAP > left:
            blocks.append([])
            left = room
        blocks[-1].append(column)
        left -= needed + _GAP
    return blocks

"""Tables and paragraphs on a terminal: lines fit its width, and numbers are never broken."""

import itertools
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

# Rich is imported where it is used: `lsk --help` must not wait for it.
if TYPE_CHECKING:
    from rich.console import RenderableType

    from lsk_engine.reports.tables import Table

_PIPE = 160  # columns without a terminal, so that lines that programs read stay whole
_GAP, _INDENT = 2, 4
_NBSP = "\u00a0"
_MIN_LABEL, _MAX_CORNER, _MAX_HEAD = 16, 28, 20


def width() -> int:
    """Returns the number of columns: of `COLUMNS`, or of the terminal."""
    return max(shutil.get_terminal_size((_PIPE, 24)).columns, 20)


def echo(*parts: "RenderableType") -> None:
    """Writes texts and tables to stdout, with bold headings on a terminal."""
    click.echo(render(*parts), nl=False)


def echo_saved(image: Path) -> None:
    """Writes the path of a figure that `ls_keras.plots.save` has written."""
    from ls_keras.plots.saving import image_path

    click.echo(f"Saved: {image_path(image)}")


def render(*parts: "RenderableType") -> str:
    """Returns the text that `echo` writes."""
    from rich.console import Console

    console = Console(width=width(), highlight=False, markup=False, emoji=False)
    # Captured, because rich ends the process if the output is closed.
    with console.capture() as captured:
        for part in parts:
            console.print(part, crop=False)  # a path may be longer than a line
    return "\n".join(line.rstrip() for line in captured.get().split("\n"))


def paragraph(text: str, *, first: str = "", style: str = "") -> "RenderableType":
    """Returns a text wrapped between words, with a hanging indent; paths are not broken.

    Args:
        text: The text.
        first: A prefix of the first line.
        style: A style of rich.
    """
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
    # In a group, because rich would join and wrap consecutive texts.
    return Group(Text(whole, style, no_wrap=True, overflow="ignore"))


def note(text: str) -> "RenderableType":
    """Returns an explanation below a table."""
    return paragraph(text, style="dim")


def plain_table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), *, right: Sequence[int] = ()
) -> "RenderableType":
    """Returns rows as a table; its first and last columns are wrapped where necessary.

    Args:
        rows: The texts of each row.
        head: The headings; empty: none.
        right: The numbers of right-aligned columns.
    """
    from rich.table import Table as RichTable

    rows = [list(row) for row in rows]
    table = RichTable(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=bool(head))
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


def row_table(table: "Table", *, caption: str | None = None) -> "RenderableType":
    """Returns a report's table with a line for each of its rows.

    Columns that do not fit side by side continue below, with the labels repeated.

    Args:
        table: The table; its first column has the labels.
        caption: The heading of the labels. Default: the heading of the first column.
    """
    from rich.console import Group

    (corner, _), *others = table.headings()
    rows = [(row[0].text, [cell.text for cell in row[1:]]) for row in table.rows()]
    left = [n for n, (_, numeric) in enumerate(others) if not numeric]
    # The arrow must not stand on a line of its own.
    names = [head.replace(" ↓", f"{_NBSP}↓").replace(" ↑", f"{_NBSP}↑") for head, _ in others]
    blocks = grid(corner if caption is None else caption, names, rows, left=left)
    return Group(*blocks, *_notes(table))


def transposed_table(table: "Table", *, caption: str | None = None) -> "RenderableType":
    """Returns a report's table with a line for each of its columns, so that many of them fit.

    Args:
        table: The table; its first columns, up to the first numbers, are the headings.
        caption: The heading of the labels. Default: the table's caption.
    """
    from rich.console import Group

    heads = len(list(itertools.takewhile(lambda heading: not heading[1], table.headings())))
    names = [" ".join(cell.text for cell in row[:heads] if cell.text) for row in table.rows()]
    rows = [
        (label, [row[n].text for row in table.rows()])
        for n, (label, _) in enumerate(table.headings())
        if n >= heads
    ]
    blocks = grid(table.caption if caption is None else caption, names, rows)
    return Group(*blocks, *_notes(table))


def grid(
    corner: str,
    names: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    *,
    left: Sequence[int] = (),
) -> "Iterator[RenderableType]":
    """Yields tables below one another, as many as it takes to keep every cell in one line.

    Args:
        corner: The heading of the labels.
        names: The headings of the columns.
        rows: The label and the cells of each row.
        left: The numbers of left-aligned columns.
    """
    from rich.table import Table as RichTable

    total = width()
    widths = [
        min(
            max([min(_longest_word(name), _MAX_HEAD), *(len(cells[n]) for _, cells in rows)]),
            total - _MIN_LABEL - _GAP,
        )
        for n, name in enumerate(names)
    ]
    longest = max([1, min(len(corner), _MAX_CORNER), *(len(label) for label, _ in rows)])
    least = min(longest, _MIN_LABEL)
    most = max(min(longest, total - max(widths, default=0) - _GAP), least)
    # Labels are wrapped if more columns then fit side by side.
    label_width, blocks = min(
        ((n, _blocks(widths, total - n)) for n in range(most, least - 1, -1)),
        key=lambda found: len(found[1]),
    )
    for number, columns in enumerate(blocks):
        table = RichTable(box=None, pad_edge=False, padding=(0, 0, 0, 0), collapse_padding=True)
        table.add_column(corner, width=label_width, overflow="fold")
        for n in columns:
            head = "\n".join(textwrap.wrap(names[n], max(widths[n], 1))).replace(_NBSP, " ")
            # Left-aligned columns have the gap before their texts, as numbers have.
            head = textwrap.indent(head, " " * _GAP * (n in left))
            table.add_column(
                head,
                justify="left" if n in left else "right",
                width=widths[n] + _GAP,
                overflow="fold",
            )
        for label, cells in rows:
            if label_width < longest:  # the arrow must not stand on a line of its own
                label = label.replace(" ↓", "↓").replace(" ↑", "↑")
            table.add_row(label, *(" " * _GAP * (n in left) + cells[n] for n in columns))
        if number:
            yield ""
        yield table


def _notes(table: "Table") -> "list[RenderableType]":
    return [note(table.note)] if table.note else []


def _longest_word(text: str) -> int:
    return max(map(len, text.split(" ")))


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Returns the numbers of the columns that stand side by side."""
    blocks: list[list[int]] = []
    left = 0
    for column, needed in enumerate(widths):
        if not blocks or needed + _GAP > left:
            blocks.append([])
            left = room
        blocks[-1].append(column)
        left -= needed + _GAP
    return blocks

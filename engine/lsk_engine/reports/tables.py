"""The blocks of a report: texts, figures, and tables of numbers with intervals.

`page.html` draws them; `lsk.support.tables` draws the same tables in the terminal.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

ARROWS = {"less": "↓", "more": "↑"}
_MAX_DECIMALS = 4


@dataclasses.dataclass(frozen=True)
class Value:
    """A number with an optional 95 % interval.

    Attributes:
        value: The number; NaN if it is unknown.
        low: The lower end of the interval; NaN if there is none.
        high: The upper end of the interval.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclasses.dataclass(frozen=True)
class Cell:
    """The text of a table cell.

    Attributes:
        text: The text.
        sort: The number to sort by; `None` for texts.
        link: The `id` of an element of the page that the cell links to; empty: no link.
    """

    text: str
    sort: float | None = None
    link: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        label: The heading.
        cells: A text or number for each row.
        better: Whether lower or higher numbers are better; `None` if neither, or unknown.
        signed: Whether the numbers are differences, shown with a sign.
    """

    label: str
    cells: Sequence[Value | Cell | str]
    better: Literal["less", "more"] | None = None
    signed: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: The title.
        columns: The columns; the cells of the first are the headings of the rows.
        note: An explanation below the table.
        sortable: Whether the rows may be sorted by another column.
    """

    caption: str
    columns: Sequence[Column]
    note: str = ""
    sortable: bool = True
    kind: str = "table"

    def headings(self) -> list[tuple[str, bool]]:
        """Returns each heading with an arrow to the better side, and whether it has numbers."""
        return [
            (f"{one.label} {ARROWS[one.better]}" if one.better else one.label, _is_numeric(one))
            for one in self.columns
        ]

    def rows(self) -> list[list[Cell]]:
        """Returns the cells by row; the numbers of a column have equally many decimals."""
        columns = [_cells(column) for column in self.columns]
        return [list(row) for row in zip(*columns, strict=True)]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG image.

    Attributes:
        data: Its bytes in base64.
        width: In pixels.
        height: In pixels.
    """

    data: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str
    kind: str = "heading"


@dataclasses.dataclass(frozen=True)
class Sentences:
    """A list of sentences.

    Attributes:
        items: The sentences; text between backticks is shown as code.
        emphasized: Whether they are paragraphs in bold type.
    """

    items: Sequence[str]
    emphasized: bool = False
    kind: str = "sentences"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture that is stored in a run.

    Attributes:
        title: The title.
        alternative: The alternative text.
        picture: The picture.
    """

    title: str
    alternative: str
    picture: Picture
    kind: str = "figure"


@dataclasses.dataclass(frozen=True)
class Facts:
    """A list of names with values.

    Attributes:
        items: Names and values.
        commands: The names whose values are shown as code.
    """

    items: Sequence[tuple[str, str]]
    commands: frozenset[str] = frozenset()
    kind: str = "facts"


@dataclasses.dataclass(frozen=True)
class Fold:
    """Blocks that a click opens.

    Attributes:
        summary: The line that is always visible.
        blocks: The blocks inside.
        anchor: The `id` of the element; empty: none.
        opened: Whether it is open at first.
    """

    summary: str
    blocks: Sequence[Any]
    anchor: str = ""
    opened: bool = False
    kind: str = "fold"


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        anchor: The `id` of the heading.
        title: The heading.
        blocks: The contents.
    """

    anchor: str
    title: str
    blocks: Sequence[Any]


def decimals(values: Iterable[float], *, intervals: bool = False) -> int:
    """Returns how many decimals the numbers of a column have.

    The largest number gets four significant digits, three with intervals, and at most four
    decimals. Numbers below 1,000, such as percentages, get at least one decimal.

    Args:
        values: The numbers; values that are not finite are ignored.
        intervals: Whether the numbers have intervals.

    Example:
    >>> decimals([63.21, 5.0]), decimals([63.21, 100.0], intervals=True), decimals([12345.0])
    (2, 1, 0)
    """
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if not largest:
        return 1
    before = math.floor(math.log10(largest)) + 1
    return min(max((3 if intervals else 4) - before, int(before <= 3)), _MAX_DECIMALS)


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """Returns a number as text.

    Args:
        value: The number; NaN becomes a dash.
        digits: The number of decimals.
        signed: Whether positive numbers have a sign.

    Example:
    >>> number(-1.5, 1), number(1234.0, 0), number(0.1, 2, signed=True), number(float("nan"), 1)
    ('−1.5', '1,234', '+0.10', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    sign = "+" * signed
    text = f"{value:{sign}.3e}" if abs(value) >= 1e9 else f"{value:{sign},.{digits}f}"
    return text.replace("-", "−")


def with_interval(value: Value, digits: int, *, signed: bool = False) -> str:
    """Returns a number with its interval as text.

    Args:
        value: The number.
        digits: The number of decimals of the number and of both ends.
        signed: Whether positive numbers have a sign.

    Example:
    >>> with_interval(Value(63.2, 61.1, 65.4), 1)
    '63.2 [61.1, 65.4]'
    """
    numbers = (value.value, value.low, value.high)
    text, low, high = (number(one, digits, signed=signed) for one in numbers)
    return text if any(map(math.isnan, numbers)) else f"{text} [{low}, {high}]"


def _is_numeric(column: Column) -> bool:
    return any(
        isinstance(cell, Value) or (isinstance(cell, Cell) and cell.sort is not None)
        for cell in column.cells
    )


def _cells(column: Column) -> list[Cell]:
    numbers = [cell for cell in column.cells if isinstance(cell, Value)]
    ends = [v for one in numbers for v in (one.low, one.high)]
    intervals = not all(map(math.isnan, ends))
    digits = decimals([*(one.value for one in numbers), *ends], intervals=intervals)

    def as_cell(cell: Value | Cell | str) -> Cell:
        if isinstance(cell, Value):
            sort = None if math.isnan(cell.value) else cell.value
            return Cell(with_interval(cell, digits, signed=column.signed), sort)
        return Cell(cell) if isinstance(cell, str) else cell

    return [as_cell(cell) for cell in column.cells]

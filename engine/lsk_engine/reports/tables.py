"""Tables as a page shows them: values with their intervals, as many digits all down a column."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Literal

ARROWS = {"less": "↓", "more": "↑"}
_DIGITS = {True: 3, False: 4}  # of a column's largest number, with intervals and without
_MOST_DECIMALS = 4


@dataclasses.dataclass(frozen=True)
class Value:
    """A number of a table.

    Attributes:
        value: The number; NaN: there is none.
        low: The lower end of its 95 % interval; NaN: it has none.
        high: The upper end.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclasses.dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Attributes:
        text: As it is read.
        sort: What it is sorted by, if it is a number.
        link: The `id` of what it leads to on the page; empty: nothing.
    """

    text: str
    sort: float | None = None
    link: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        label: Its heading.
        cells: Texts or numbers, one a row.
        better: Whether less or more is better; `None`: neither, or nobody knows.
        signed: Whether numbers are differences, which have a sign.
    """

    label: str
    cells: Sequence[Value | Cell | str]
    better: Literal["less", "more"] | None = None
    signed: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows.
        columns: Its columns; the first one's cells are the rows' headings.
        note: What has to be known to read it.
        sortable: Whether its rows may come in another order.
    """

    caption: str
    columns: Sequence[Column]
    note: str = ""
    sortable: bool = True
    kind: str = "table"

    def headings(self) -> list[tuple[str, bool]]:
        """Returns each heading, with an arrow to the better, and whether it is of numbers."""
        return [
            (f"{one.label} {ARROWS[one.better]}" if one.better else one.label, _is_numeric(one))
            for one in self.columns
        ]

    def rows(self) -> list[list[Cell]]:
        """Returns the cells by row; a column's numbers have the same digits after the point."""
        shown = [_cells(column) for column in self.columns]
        return [list(row) for row in zip(*shown, strict=True)]


def decimals(values: Iterable[float], *, intervals: bool = False) -> int:
    """Returns how many digits after the point the numbers of a column have.

    The largest one has four digits, with intervals three; none has more than four after the point.
    Numbers below 1,000, such as percentages of which one is 100, have at least one.

    Args:
        values: The numbers; those that are not finite don't count.
        intervals: Whether they have intervals, which say how far digits mean anything.

    Example:
    >>> decimals([63.21, 5.0]), decimals([63.21, 100.0], intervals=True), decimals([12345.0])
    (2, 1, 0)
    """
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if not largest:
        return 1
    before = math.floor(math.log10(largest)) + 1
    return min(max(_DIGITS[intervals] - before, int(before <= 3)), _MOST_DECIMALS)


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """Returns a number as a table shows it.

    Args:
        value: The number; NaN is a dash.
        digits: After the point.
        signed: Whether one above 0 has a sign.

    Example:
    >>> number(-1.5, 1), number(1234.0, 0), number(0.1, 2, signed=True), number(float("nan"), 1)
    ('−1.5', '1,234', '+0.10', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1e9:
        return f"{value:{'+' * signed}.3e}".replace("-", "−")
    return f"{value:{'+' * signed},.{digits}f}".replace("-", "−")


def with_interval(value: Value, digits: int, *, signed: bool = False) -> str:
    """Returns a number with its interval.

    Args:
        value: The number.
        digits: After the point, of all three.
        signed: As for `number`.

    Example:
    >>> with_interval(Value(63.2, 61.1, 65.4), 1)
    '63.2 [61.1, 65.4]'
    """
    text = number(value.value, digits, signed=signed)
    if math.isnan(value.value) or math.isnan(value.low) or math.isnan(value.high):
        return text
    low, high = (number(end, digits, signed=signed) for end in (value.low, value.high))
    return f"{text} [{low}, {high}]"


def _is_numeric(column: Column) -> bool:
    return any(
        isinstance(cell, Value) or (isinstance(cell, Cell) and cell.sort is not None)
        for cell in column.cells
    )


def _cells(column: Column) -> list[Cell]:
    numbers = [cell for cell in column.cells if isinstance(cell, Value)]
    ends = [v for one in numbers for v in (one.low, one.high)]
    intervals = not all(math.isnan(v) for v in ends)
    digits = decimals([*(one.value for one in numbers), *ends], intervals=intervals)
    return [
        Cell(
            with_interval(cell, digits, signed=column.signed),
            None if math.isnan(cell.value) else cell.value,
        )
        if isinstance(cell, Value)
        else Cell(cell)
        if isinstance(cell, str)
        else cell
        for cell in column.cells
    ]

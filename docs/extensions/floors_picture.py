"""The picture of the floors, drawn from the list that the imports are held to.

Twice, for wide pages and for narrow ones: text that shrinks with its picture can't be read on a
phone. `docs/_static/pages.css` has the colors, which are the theme's own, light or dark.
"""

import html
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from floors import FLOORS, Floor, Room

Part = Floor | Room

PAGE = "architecture"
PLACEHOLDER = "<!-- picture of the floors -->"
WIDTHS = {"wide": 700, "narrow": 330}
PAD, LINE = 10, 18  # inside a box; from line to line
# Widths of letters on average, at most: of what a part is, of floors' names and folders.
LETTER, NAME_LETTER = 6.9, 8.5
NAMES = 128  # the width of the column of rooms' names
ONE_LINE = 320  # a room as wide as this has such a column; else its name stands above
STAIRS = 20  # between floors


class Drawn(NamedTuple):
    """A part of the picture, its upper left corner at the origin, and its height."""

    svg: str
    height: int


def figure(floors: Sequence[Floor] = FLOORS) -> str:
    """Returns the picture as HTML."""
    pictures = (_picture(floors, size, width) for size, width in WIDTHS.items())
    return f'<figure class="floors">\n{"".join(pictures)}</figure>\n'


def in_words(floors: Iterable[Floor] = FLOORS) -> str:
    """Returns what the picture shows, for those who can't see it."""
    sentences = ["From the ground up; imports go down only."]
    for floor in floors:
        sentences.append(f"{_heading(floor)}: {floor.what}.")
        if floor.rooms:
            rooms = "; ".join(f"{_heading(room)}, {room.what}" for room in floor.rooms)
            sentences.append(f"Its rooms, from the ground up: {rooms}.")
    return " ".join(sentences)


def _heading(part: Floor | Room) -> str:
    where = f", {part.folder}" if isinstance(part, Floor) else ""
    return f"{part.name}{where}{f' (beside {part.beside})' if part.beside else ''}"


def _picture(floors: Sequence[Floor], size: str, width: int) -> str:
    house = _stack(floors, width, _floor, STAIRS)
    return (
        f'<svg class="{size}" viewBox="-1 -1 {width + 2} {house.height + 2}" role="img" '
        f'aria-labelledby="floors-{size} floors-{size}-text" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="floors-{size}">The floors of the house</title>'
        f'<desc id="floors-{size}-text">{html.escape(in_words(floors))}</desc>\n'
        f"{house.svg}</svg>\n"
    )


def _stack(
    parts: Sequence[Part], width: int, inside: Callable[[Any, int], Drawn], space: int
) -> Drawn:
    """Draws a box for each part, the first at the bottom; `inside` fills it."""
    svg, y = [], 0
    for row in reversed(list(_rows(parts))):
        if y and space == STAIRS:
            svg.append(f'<path d="M{width // 2 - 6} {y - 15}h12l-6 10z"/>\n')
        each = (width - space * (len(row) - 1)) // len(row)
        filled = [inside(part, each) for part in row]
        height = max(drawn.height for drawn in filled)
        for number, (part, drawn) in enumerate(zip(row, filled, strict=True)):
            svg.append(
                f'<g transform="translate({number * (each + space)} {y})">'
                f'<rect class="{type(part).__name__.lower()}" width="{each}" height="{height}" '
                f'rx="4"/>{drawn.svg}</g>\n'
            )
        y += height + space
    return Drawn("".join(svg), y - space)


def _rows(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Yields the parts, those beside one another together."""
    row: list[Part] = []
    for part in parts:
        if row and part.beside is None:
            yield row
            row = []
        row.append(part)
    yield row


def _floor(floor: Floor, width: int) -> Drawn:
    names = len(floor.name) + len(floor.folder)
    beside = names * NAME_LETTER + 4 * PAD < width
    x, y = ('dx="10"', 46) if beside else (f'x="{PAD}" dy="{LINE}"', 46 + LINE)
    lines = _wrap(floor.what, width - 2 * PAD)
    svg = (
        f'<text x="{PAD}" y="25"><tspan class="name">{floor.name}</tspan>'
        f'<tspan class="path" {x}>{floor.folder}/</tspan></text>{_text(lines, PAD, y)}'
    )
    height = y + LINE * (len(lines) - 1) + PAD
    if not floor.rooms:
        return Drawn(svg, height)
    rooms = _stack(floor.rooms, width - 2 * PAD, _room, 4)
    svg += f'<g transform="translate({PAD} {height})">\n{rooms.svg}</g>'
    return Drawn(svg, height + rooms.height + PAD)


def _room(room: Room, width: int) -> Drawn:
    beside = width >= ONE_LINE
    x, y = (NAMES, LINE) if beside else (PAD, 2 * LINE)
    lines = _wrap(room.what, width - x - PAD)
    svg = f'<text class="path" x="{PAD}" y="{LINE}">{room.name}</text>{_text(lines, x, y)}'
    return Drawn(svg, y + LINE * (len(lines) - 1) + 8)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, int(width / LETTER))


def _text(lines: Iterable[str], x: int, y: int) -> str:
    return "".join(
        f'<text x="{x}" y="{y + LINE * number}">{html.escape(line)}</text>'
        for number, line in enumerate(lines)
    )


def _insert(app, docname: str, source: list[str]) -> None:
    if docname == PAGE:
        source[0] = source[0].replace(PLACEHOLDER, f"```{{raw}} html\n{figure()}```")


def setup(app):
    """Connects the picture to Sphinx."""
    app.connect("source-read", _insert)
    # It is drawn from a list that Sphinx does not watch.
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: [PAGE])
    return {"parallel_read_safe": True}

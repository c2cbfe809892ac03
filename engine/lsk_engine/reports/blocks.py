"""What a section of a page is made of, beside tables, charts and examples."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lsk_engine.reports.pictures import Picture


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str
    kind: str = "heading"


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Sentences, one an item.

    Attributes:
        items: The sentences; words between backticks are shown as code.
        emphasized: Whether they are what the page is about.
    """

    items: Sequence[str]
    emphasized: bool = False
    kind: str = "sentences"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture that a run keeps.

    Attributes:
        title: What it shows.
        alternative: The same for those who can't see it.
        picture: The picture.
    """

    title: str
    alternative: str
    picture: Picture
    kind: str = "figure"


@dataclasses.dataclass(frozen=True)
class Facts:
    """Names and what they are, code where it is a command.

    Attributes:
        items: Names with texts.
        commands: The names of those that are commands.
    """

    items: Sequence[tuple[str, str]]
    commands: frozenset[str] = frozenset()
    kind: str = "facts"


@dataclasses.dataclass(frozen=True)
class Fold:
    """Blocks that open by a click.

    Attributes:
        summary: What is seen of it.
        blocks: What is inside.
        anchor: Its `id`; empty: it has none.
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
        anchor: Its `id`.
        title: Its heading.
        blocks: What is in it.
    """

    anchor: str
    title: str
    blocks: Sequence[Any]

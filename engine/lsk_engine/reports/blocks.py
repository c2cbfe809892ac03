"""The parts of a section of the report, besides tables, charts and examples."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lsk_engine.reports.run_files import Picture


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

"""What a model wrote beside what was wanted, word by word, the differences marked."""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Literal

EXAMPLES = 10  # of a split
_MOST_WORDS = 200  # of a text; comparing takes time with their square

Change = Literal["same", "missing", "added"]


@dataclasses.dataclass(frozen=True)
class Piece:
    """Words that follow one another.

    Attributes:
        change: `same`: of both; `missing`: of the reference alone; `added`: of the output alone.
        text: The words.
    """

    change: Change
    text: str


@dataclasses.dataclass(frozen=True)
class Example:
    """An example.

    Attributes:
        number: Its place in the split, from 0.
        reference: What was wanted; `None`: nobody has kept it.
        outputs: What each model wrote, by its name.
    """

    number: int
    reference: str | None
    outputs: tuple[tuple[str, tuple[Piece, ...]], ...]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Some examples of a split.

    Attributes:
        title: What they are of.
        examples: The examples.
        total: How many the split has.
    """

    title: str
    examples: tuple[Example, ...]
    total: int
    kind: str = "examples"


def differences(reference: str, output: str) -> tuple[Piece, ...]:
    """Returns an output in pieces, with what it lacks of the reference in between.

    Args:
        reference: What was wanted.
        output: What was written.

    Example:
    >>> [(piece.change, piece.text) for piece in differences("a red big house", "a big horse")]
    [('same', 'a'), ('missing', 'red'), ('same', 'big'), ('missing', 'house'), ('added', 'horse')]
    """
    wanted, found = _words(reference), _words(output)
    pieces: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, wanted, found, autojunk=False)
    for tag, i0, i1, j0, j1 in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", " ".join(found[j0:j1])))
            continue
        if i1 > i0:
            pieces.append(Piece("missing", " ".join(wanted[i0:i1])))
        if j1 > j0:
            pieces.append(Piece("added", " ".join(found[j0:j1])))
    return tuple(pieces)


def chosen_examples(
    title: str, references: Sequence[tuple[str, ...]], outputs: Sequence[tuple[str, Sequence[str]]]
) -> Examples:
    """Returns examples from the whole split, evenly apart: nobody has picked them.

    Args:
        title: What they are of.
        references: What was wanted, of an example all that is right, of which an output is
            compared with the nearest; empty: nobody has kept it, and nothing is marked.
        outputs: What each model wrote, of each example, by its name; at least one.
    """
    total = len(outputs[0][1])
    count = min(EXAMPLES, total)
    examples = []
    for row in (i * total // count for i in range(count)):
        right = references[row] if references else ()
        pieces = (
            (name, differences(_nearest(right or (texts[row],), texts[row]), texts[row]))
            for name, texts in outputs
        )
        examples.append(Example(row, right[0] if right else None, tuple(pieces)))
    return Examples(title, tuple(examples), total)


def _nearest(references: Sequence[str], output: str) -> str:
    """Returns the reference that has most words in common with an output."""
    found = _words(output)

    def likeness(reference: str) -> float:
        return difflib.SequenceMatcher(None, _words(reference), found, autojunk=False).ratio()

    return max(references, key=likeness)


def _words(text: str) -> list[str]:
    words = text.split()
    return words if len(words) <= _MOST_WORDS else [*words[:_MOST_WORDS], "…"]

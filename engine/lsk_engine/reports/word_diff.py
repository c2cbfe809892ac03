"""Decoded texts beside their references, with the differences marked word by word."""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Literal

EXAMPLES = 10  # of a split
_MAX_WORDS = 200  # of a text; the time of a comparison grows with the square


# Where consecutive words are: in both texts, only in the reference, or only in the output.
Piece = tuple[Literal["same", "missing", "added"], str]


@dataclasses.dataclass(frozen=True)
class Example:
    """An example with the outputs of several models.

    Attributes:
        number: Its place in the split, from 0.
        reference: The correct text; `None` if it was not stored.
        outputs: The name of each model, and its output in pieces.
    """

    number: int
    reference: str | None
    outputs: tuple[tuple[str, tuple[Piece, ...]], ...]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Some examples of a split.

    Attributes:
        title: The heading.
        examples: The examples.
        total: The number of examples of the split.
    """

    title: str
    examples: tuple[Example, ...]
    total: int
    kind: str = "examples"


def differences(reference: str, output: str) -> tuple[Piece, ...]:
    """Returns an output in pieces, with the missing words of the reference in between.

    Args:
        reference: The right text.
        output: The decoded text.

    Example:
    >>> differences("a red house", "a big house")
    (('same', 'a'), ('missing', 'red'), ('added', 'big'), ('same', 'house'))
    """
    right, found = _words(reference), _words(output)
    pieces: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, right, found, autojunk=False)
    for tag, i0, i1, j0, j1 in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(("same", " ".join(found[j0:j1])))
            continue
        if i1 > i0:
            pieces.append(("missing", " ".join(right[i0:i1])))
        if j1 > j0:
            pieces.append(("added", " ".join(found[j0:j1])))
    return tuple(pieces)


def choose_examples(
    title: str, references: Sequence[tuple[str, ...]], outputs: Sequence[tuple[str, Sequence[str]]]
) -> Examples:
    """Returns examples at equal distances in the split, so that they are not hand-picked.

    Args:
        title: The heading.
        references: All correct texts of each example; an output is compared with the most similar
            one. Empty: not stored, and nothing is marked.
        outputs: The name of each model, and its output for each example; at least one model.
    """
    total = len(outputs[0][1])
    count = min(EXAMPLES, total)
    examples = []
    for row in (i * total // count for i in range(count)):
        right = references[row] if references else ()
        pieces = (
            (name, differences(_most_similar(right or (texts[row],), texts[row]), texts[row]))
            for name, texts in outputs
        )
        examples.append(Example(row, right[0] if right else None, tuple(pieces)))
    return Examples(title, tuple(examples), total)


def _most_similar(references: Sequence[str], output: str) -> str:
    """Returns the reference that shares most words with an output."""
    found = _words(output)

    def similarity(reference: str) -> float:
        return difflib.SequenceMatcher(None, _words(reference), found, autojunk=False).ratio()

    return max(references, key=similarity)


def _words(text: str) -> list[str]:
    words = text.split()
    return words if len(words) <= _MAX_WORDS else [*words[:_MAX_WORDS], "…"]

"""Random draws and styles, shared by the slots of the `cldr` frames.

A slot is a function of a `random.Random` that returns its forms, each a pair (English, German) of
renderings of one meaning. The German style (digits or words, long or short date) is drawn given
the English one, so that several translations are right and one is the likeliest. Only
`Random.random` is called: its stream is the same on every Python version and platform.
"""

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from ls_base.errors import MissingExtraError

try:
    from babel import Locale
    from num2words import num2words
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtraError(
        f"Expected the translation extra: pip install 'ls-keras[translation]'. Received: {error}"
    ) from error

Forms = dict[str, tuple[str, str]]
Slot = Callable[[random.Random], Forms]
T = TypeVar("T")

# Low enough that probabilities and beams matter, high enough that a good model's BLEU stays near
# 80: a model that knows everything but the free choices would get 75 with 1/2, 88 with 0.75.
_FIRST = 0.7

EN, DE = Locale("en"), Locale("de")


def pick(rng: random.Random, choices: Sequence[T]) -> T:
    """Draws uniformly."""
    return choices[int(rng.random() * len(choices))]


def prefer(rng: random.Random, choices: Sequence[T]) -> T:
    """Draws the first with probability 0.7, the next with 0.7 of the rest, and so on."""
    return choices[preferred_index(rng.random(), len(choices))]


def preferred_index(draw: float, count: int) -> int:
    """Returns the index that `prefer` takes of `count` choices for a uniform draw from [0, 1)."""
    index = 0
    while index < count - 1 and draw >= _FIRST:
        index, draw = index + 1, (draw - _FIRST) / (1 - _FIRST)
    return index


def integer(rng: random.Random, low: int, high: int) -> int:
    """Draws an integer from [low, high]."""
    return low + int(rng.random() * (high - low + 1))


def clean(text: str) -> str:
    """Replaces CLDR's no-break spaces by ordinary ones."""
    return text.replace("\u202f", " ").replace("\xa0", " ")


def weighted(rng: random.Random, weights: Sequence[float]) -> int:
    """Draws an index with probability in proportion to its weight."""
    draw = rng.random() * sum(weights)
    for index, weight in enumerate(weights):
        draw -= weight
        if draw < 0:
            return index
    return len(weights) - 1


# P(English style), then P(German style | English style).
Styles = tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]
WORDS_OR_DIGITS: Styles = ((0.3, 0.7), ((0.8, 0.2), (0.1, 0.9)))
LONG_OR_SHORT: Styles = ((0.55, 0.45), ((0.8, 0.2), (0.15, 0.85)))


def both_styles(rng: random.Random, styles: Styles) -> tuple[int, int]:
    """Draws the English style, and the German one given it."""
    english = weighted(rng, styles[0])
    return english, weighted(rng, styles[1][english])


def same(en: str, de: str, /, **forms: tuple[str, str]) -> Forms:
    """Makes forms of a plain one, named by the empty string, and others."""
    return {"": (en, de), **forms}


def form_of(slot: Slot, form: str) -> Slot:
    """Returns a slot whose plain form is the given form of another slot."""
    return lambda rng: {"": slot(rng)[form]}


def one_of(*slots: tuple[float, Slot]) -> Slot:
    """Makes a slot that draws one of several by weight."""
    weights = [weight for weight, _ in slots]
    return lambda rng: slots[weighted(rng, weights)][1](rng)


@lru_cache(maxsize=8192)
def words(number: int) -> tuple[str, str]:
    """Returns a cardinal in English and German words."""
    return num2words(number, lang="en"), num2words(number, lang="de")


ARTICLES = {
    "m": {"nom": "der", "acc": "den", "dat": "dem", "in": "im", "to": "zum"},
    "f": {"nom": "die", "acc": "die", "dat": "der", "in": "in der", "to": "zur"},
    "n": {"nom": "das", "acc": "das", "dat": "dem", "in": "im", "to": "zum"},
}

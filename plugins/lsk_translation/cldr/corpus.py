"""The `cldr` corpus: English–German pairs from sentence frames, Babel and num2words.

`python -m lsk_translation.cldr.corpus 20` prints twenty pairs.
"""

import random
import re
from collections.abc import Iterator
from functools import lru_cache

from lsk_engine import InputError
from lsk_translation.cldr import names, numbers, times
from lsk_translation.cldr.draws import Slot, preferred_index
from lsk_translation.cldr.frames import FRAMES
from lsk_translation.cldr.phrases import PHRASES, held_out_phrases

HELD_OUT = 1000  # pairs of validation, and of test
DEFAULT_PAIRS = 40_000
DEFAULT_PHRASE_PAIRS = 60_000  # with single phrases, which are short

Pair = tuple[str, str]
# A compiled alternative is a tuple of literals, slots (function, key, form) and groups (link,
# choices), each choice a tuple of literals and slots.
_PART = re.compile(r"\{([a-z_]+\d?)(?:\.([a-z]+))?\}")
_GROUP = re.compile(r"\[(?:(\w):)?([^\]]*)\]")


def cldr_splits(
    pairs: int = DEFAULT_PAIRS, seed: int = 0, phrase_fraction: float = 0.0
) -> dict[str, list[Pair]]:
    """Generates the splits train, validation and test of (English, German) pairs.

    Validation and test depend on the seed alone; a smaller training set is the beginning of a
    larger one. No source and no target of validation or test, whatever its case and spacing,
    occurs in another split. The pairs of a split are distinct; a source may come several times
    with different targets.

    Args:
        pairs: Number of training pairs.
        seed: The same seed gives the same text, with the same versions of Babel and num2words.
        phrase_fraction: Fraction of pairs that are single phrases of `cldr.phrases`; the others
            come from all frames. If above 0, no training pair has one of the held-out phrases.

    Raises:
        InputError: If `pairs` is below 1, or more than the frames give.
    """
    if pairs < 1:
        raise InputError(f"Expected at least 1 training pair. Received: pairs={pairs}")
    held_out: list[Pair] = []
    sources: set[str] = set()
    targets: set[str] = set()
    if phrase_fraction:
        for phrase in held_out_phrases():
            sources.add(normalized(phrase.english))
            targets.update(map(normalized, phrase.german))
    for source, target in _stream(f"cldr held out {seed}", phrase_fraction):
        keys = normalized(source), normalized(target)
        if keys[0] in sources or keys[1] in targets:
            continue
        sources.add(keys[0])
        targets.add(keys[1])
        held_out.append((source, target))
        if len(held_out) == 2 * HELD_OUT:
            break
    train: dict[Pair, None] = {}
    for drawn, (source, target) in enumerate(_stream(f"cldr train {seed}", phrase_fraction)):
        if normalized(source) not in sources and normalized(target) not in targets:
            train[source, target] = None
        if len(train) == pairs:
            break
        if drawn > 20 * pairs + 10_000:
            raise InputError(
                f"Expected at most {len(train)} training pairs of cldr (data.max_train_examples). "
                f"Received: {pairs}"
            )
    return {
        "train": list(train),
        "validation": held_out[:HELD_OUT],
        "test": held_out[HELD_OUT:],
    }


def normalized(text: str) -> str:
    """Returns the text as splits are compared: case folded, runs of spaces made one."""
    return " ".join(text.casefold().split())


def _stream(seed: str, phrase_fraction: float) -> Iterator[Pair]:
    # Random(str) hashes with SHA-512, so PYTHONHASHSEED has no say.
    rng = random.Random(seed)
    everything, single = _compiled(FRAMES), _compiled(PHRASES)
    while True:
        compiled = single if phrase_fraction and rng.random() < phrase_fraction else everything
        english, german = compiled[int(rng.random() * len(compiled))]
        meanings: dict = {}
        yield _render(english, 0, meanings, rng), _render(german, 1, meanings, rng)


def _render(alternatives: tuple, language: int, meanings: dict, rng: random.Random) -> str:
    parts = alternatives[preferred_index(rng.random(), len(alternatives))]
    links: dict[str, float] = {}
    out: list[str] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif len(part) == 3:
            out.append(_fill(part, language, meanings, rng))
        else:
            link, choices = part
            if link.isalpha():
                if link not in meanings:
                    meanings[link] = rng.random()
                index = int(meanings[link] * len(choices))
            elif link:
                if link not in links:
                    links[link] = rng.random()
                index = preferred_index(links[link], len(choices))
            else:
                index = preferred_index(rng.random(), len(choices))
            for piece in choices[index]:
                filled = isinstance(piece, str)
                out.append(piece if filled else _fill(piece, language, meanings, rng))
    text = "".join(out)
    if text[-1] in ".?!":
        if text.endswith(".."):  # "am 4.3.", "der 3."
            text = text[:-1]
        text = text[0].upper() + text[1:]
    return text


def _fill(part: tuple, language: int, meanings: dict, rng: random.Random) -> str:
    slot, key, form = part
    if key not in meanings:
        meanings[key] = slot(rng)
    return meanings[key][form][language]


@lru_cache(maxsize=2)
def _compiled(table: tuple[tuple[str, str], ...]) -> tuple[tuple[tuple, tuple], ...]:
    return tuple((_compile(english), _compile(german)) for english, german in table)


def _compile(frame: str) -> tuple[tuple, ...]:
    return tuple(_compile_alternative(text.strip()) for text in frame.split("||"))


def _compile_alternative(text: str) -> tuple:
    parts: list = []
    start = 0
    for match in _GROUP.finditer(text):
        parts += _literals_and_slots(text[start : match.start()])
        choices = tuple(tuple(_literals_and_slots(c)) for c in match.group(2).split("|"))
        parts.append((match.group(1) or "", choices))
        start = match.end()
    return tuple(parts + _literals_and_slots(text[start:]))


def _literals_and_slots(text: str) -> list:
    parts: list = []
    start = 0
    for match in _PART.finditer(text):
        if match.start() > start:
            parts.append(text[start : match.start()])
        parts.append((_slot(match.group(1)), match.group(1), match.group(2) or ""))
        start = match.end()
    if start < len(text):
        parts.append(text[start:])
    return parts


def _slot(key: str) -> Slot:
    for module in (names, numbers, times):
        if hasattr(module, key.rstrip("2")):
            return getattr(module, key.rstrip("2"))
    raise ValueError(f"Expected the name of a slot. Received: {key!r}")


if __name__ == "__main__":
    import sys

    shown = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for english, german in cldr_splits(shown)["train"]:
        print(english, german, sep="\t")

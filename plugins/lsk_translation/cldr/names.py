"""Places, languages, people and things for the `cldr` frames, by Babel's CLDR data."""

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from babel import dates, lists

from lsk_translation.cldr import frames
from lsk_translation.cldr.draws import (
    ARTICLES,
    DE,
    EN,
    Forms,
    pick,
    prefer,
    same,
)


@lru_cache(maxsize=256)
def cities_named() -> tuple[tuple[str, str], ...]:
    """Returns the English and German names of all cities."""
    names = (
        tuple(
            dates.get_timezone_location(zone, locale=locale, return_city=True)
            for locale in (EN, DE)
        )
        for zone in frames.CITY_ZONES
    )
    return tuple((en, de) for en, de in names)


def city(rng: random.Random) -> Forms:
    """A city."""
    en, de = pick(rng, cities_named())
    return same(en, de, **{"in": (f"in {en}", f"in {de}")})


def land(rng: random.Random) -> Forms:
    """A country after a preposition, with the German article where it has one."""
    plain = rng.random() < 0.85
    if plain:
        code = pick(rng, frames.TERRITORIES_WITHOUT_ARTICLE)
        en, de = EN.territories[code], DE.territories[code]
        german = {"in": f"in {de}", "to": f"nach {de}", "from": f"aus {de}"}
    elif rng.random() < 0.6:
        code = pick(rng, frames.TERRITORIES_FEMININE)
        en, de = EN.territories[code], DE.territories[code]
        german = {"in": f"in der {de}", "to": f"in die {de}", "from": f"aus der {de}"}
    else:
        code = pick(rng, frames.TERRITORIES_PLURAL)
        en, de = f"the {EN.territories[code]}", DE.territories[code]
        weak = de.replace("Vereinigte ", "Vereinigten ")
        dative = weak if weak.endswith("n") else f"{weak}n"
        german = {"in": f"in den {dative}", "to": f"in die {weak}", "from": f"aus den {dative}"}
    return {form: (f"{form} {en}", text) for form, text in german.items()}


def _several(
    rng: random.Random,
    names: Sequence[tuple[str, str]],
    style: Literal["standard", "or"] = "standard",
) -> Forms:
    wanted = 2 if rng.random() < 0.65 else 3
    chosen: list[tuple[str, str]] = []
    while len(chosen) < wanted:
        name = pick(rng, names)
        if name not in chosen:
            chosen.append(name)
    en = lists.format_list([name[0] for name in chosen], style=style, locale=EN)
    de = lists.format_list([name[1] for name in chosen], style=style, locale=DE)
    return same(en, de)


@lru_cache(maxsize=1)
def _plain_lands() -> tuple[tuple[str, str], ...]:
    return tuple(
        (EN.territories[code], DE.territories[code]) for code in frames.TERRITORIES_WITHOUT_ARTICLE
    )


@lru_cache(maxsize=1)
def _languages() -> tuple[tuple[str, str], ...]:
    return tuple((EN.languages[code], DE.languages[code]) for code in frames.LANGUAGES)


def lands(rng: random.Random) -> Forms:
    """Two or three countries."""
    forms = _several(rng, _plain_lands())
    en, de = forms[""]
    return {**forms, "in": (f"in {en}", f"in {de}")}


def cities(rng: random.Random) -> Forms:
    """Two or three cities."""
    return _several(rng, cities_named())


def lang(rng: random.Random) -> Forms:
    """A language."""
    return same(*pick(rng, _languages()))


def langs(rng: random.Random) -> Forms:
    """Two or three languages, joined by "and" or (`or`) by "or"."""
    return {**_several(rng, _languages()), "or": _several(rng, _languages(), "or")[""]}


def person(rng: random.Random) -> Forms:
    """A first name."""
    name = pick(rng, frames.PERSONS)
    return same(name, name)


def persons(rng: random.Random) -> Forms:
    """Two or three first names."""
    return _several(rng, [(name, name) for name in frames.PERSONS])


def event(rng: random.Random) -> Forms:
    """An event with its article; `to` is "zum" or "zur"."""
    en, nouns = pick(rng, frames.EVENTS)
    gender, noun = prefer(rng, nouns)
    return {form: (en, f"{article} {noun}") for form, article in ARTICLES[gender].items()}


def things(rng: random.Random) -> Forms:
    """A plural noun; `dat` is the German dative."""
    en, de, dative = pick(rng, frames.THINGS)
    return same(en, de, dat=(en, dative))

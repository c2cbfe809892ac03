"""Numbers, money and measures for the `cldr` frames, by Babel's CLDR data and num2words."""

import random
from functools import lru_cache
from typing import Literal

from babel import numbers, units
from num2words import num2words

from lsk_translation.cldr import frames
from lsk_translation.cldr.draws import (
    ARTICLES,
    DE,
    EN,
    LONG_OR_SHORT,
    WORDS_OR_DIGITS,
    Forms,
    Slot,
    both_styles,
    clean,
    integer,
    pick,
    prefer,
    same,
    words,
)


@lru_cache(maxsize=1024)
def _ordinal_words(number: int) -> tuple[str, str, str]:
    return (
        num2words(number, lang="en", to="ordinal"),
        num2words(number, lang="en", to="ordinal_num"),
        num2words(number, lang="de", to="ordinal"),
    )


def _cardinal(rng: random.Random, value: int) -> Forms:
    english, german = both_styles(rng, WORDS_OR_DIGITS)
    texts = []
    for language, (style, locale) in enumerate(((english, EN), (german, DE))):
        digits = numbers.format_decimal(value, locale=locale)
        texts.append(digits if style else words(value)[language])
    return same(*texts)


def count(rng: random.Random) -> Forms:
    """A cardinal before a plural noun, 2–99; none in …1, which German would inflect."""
    value = integer(rng, 2, 20) if rng.random() < 0.6 else integer(rng, 21, 99)
    return _cardinal(rng, value)


def number(rng: random.Random) -> Forms:
    """A cardinal, 20–9,999; above 200 mostly in digits."""
    if rng.random() < 0.6:
        return _cardinal(rng, integer(rng, 20, 200))
    value = integer(rng, 201, 9999)
    if value % 100 == 0:
        return _cardinal(rng, value)
    en, de = (numbers.format_decimal(value, locale=locale) for locale in (EN, DE))
    return same(en, de)


def spelled(rng: random.Random) -> Forms:
    """A cardinal in words on both sides, 2–99."""
    return same(*words(integer(rng, 2, 99)))


def age(rng: random.Random) -> Forms:
    """An age in years."""
    return _cardinal(rng, integer(rng, 2, 99))


def goals(rng: random.Random) -> Forms:
    """A count of goals."""
    return _cardinal(rng, integer(rng, 0, 9))


def room(rng: random.Random) -> Forms:
    """The number of a room."""
    text = str(integer(rng, 1, 450))
    return same(text, text)


def percent(rng: random.Random) -> Forms:
    """A percentage."""
    value = integer(rng, 2, 95) / 100 if rng.random() < 0.7 else integer(rng, 21, 399) / 1000
    english, german = both_styles(rng, LONG_OR_SHORT)
    en = numbers.format_percent(value, "#,##0.#%", locale=EN)
    de = clean(numbers.format_percent(value, "#,##0.# %", locale=DE))
    en = en if english else en.replace("%", " percent")
    return same(en, de if german else de.replace("%", "Prozent"))


def _ordinal_pair(rng: random.Random, value: int) -> tuple[str, str]:
    """Returns English, and German without its ending; figures end in a point."""
    english, german = both_styles(rng, ((0.65, 0.35), ((0.85, 0.15), (0.2, 0.8))))
    en_words, en_figures, de_words = _ordinal_words(value)
    en = en_figures if english else en_words
    return en, f"{value}." if german else de_words.removesuffix("e")


def _inflected(stem: str, ending: str) -> str:
    return stem if stem.endswith(".") else stem + ending


def ordinal(rng: random.Random) -> Forms:
    """An ordinal with the weak endings -e and -en."""
    en, stem = _ordinal_pair(rng, integer(rng, 1, 25))
    return same(
        en, _inflected(stem, "e"), e=(en, _inflected(stem, "e")), en=(en, _inflected(stem, "en"))
    )


def nth(rng: random.Random) -> Forms:
    """An ordinal with article and noun: "the third chapter", "das dritte Kapitel"."""
    noun, gender, german = pick(rng, frames.ORDERED)
    en, stem = _ordinal_pair(rng, integer(rng, 1, 40))
    articles = ARTICLES[gender]
    weak = {"nom": "e", "acc": "en" if gender == "m" else "e", "in": "en"}
    return {
        form: (
            f"{'in ' if form == 'in' else ''}the {en} {noun}",
            f"{articles[form]} {_inflected(stem, ending)} {german}",
        )
        for form, ending in weak.items()
    }


def floor(rng: random.Random) -> Forms:
    """A floor of a building."""
    en, stem = _ordinal_pair(rng, integer(rng, 1, 12))
    story = prefer(rng, ("Stock", "Stockwerk"))
    return same(f"the {en} floor", f"im {_inflected(stem, 'en')} {story}")


def money(rng: random.Random) -> Forms:
    """An amount of money."""
    currency = pick(rng, frames.CURRENCIES)
    whole = rng.random() < 0.7 or currency == "JPY"
    if whole:
        amount: float = integer(rng, 2, 200) if rng.random() < 0.6 else 50 * integer(rng, 5, 199)
    else:
        amount = integer(rng, 2, 150) + pick(rng, (0.5, 0.2, 0.25, 0.75, 0.8, 0.9, 0.95, 0.99))
    english, german = 1, 1
    if currency in frames.NAMED_CURRENCIES:
        english, german = both_styles(rng, LONG_OR_SHORT)
    texts = []
    for style, locale in ((english, EN), (german, DE)):
        pattern = {EN: "¤#,##0", DE: "#,##0 ¤"}[locale] if whole else None
        if style:
            text = numbers.format_currency(
                amount, currency, pattern, locale=locale, currency_digits=not whole
            )
        else:
            figures = numbers.format_decimal(amount, "#,##0" if whole else "#,##0.00", locale)
            text = f"{figures} {numbers.get_currency_name(currency, amount, locale)}"
        texts.append(clean(text))
    return same(*texts)


def _measure(low: int, high: int, *names: str, tenths: float = 0.3) -> Slot:
    def measure(rng: random.Random) -> Forms:
        name = pick(rng, names)
        value: float = integer(rng, low, high)
        if rng.random() < tenths:
            value += integer(rng, 1, 9) / 10
        english, german = both_styles(rng, LONG_OR_SHORT)
        lengths: tuple[Literal["long", "short"], ...] = ("long", "short")
        return same(
            clean(units.format_unit(value, name, lengths[english], locale=EN)),
            clean(units.format_unit(value, name, lengths[german], locale=DE)),
        )

    return measure


distance = _measure(2, 950, "length-kilometer", "length-kilometer", "length-mile", tenths=0.2)
height = _measure(4, 180, "length-meter", "length-meter", "length-foot", tenths=0.2)
weight = _measure(2, 60, "mass-kilogram", "mass-kilogram", "mass-pound")
volume = _measure(2, 90, "volume-liter", "volume-liter", "volume-gallon")
area = _measure(15, 240, "area-square-meter", tenths=0.2)
land_area = _measure(2, 300, "area-square-kilometer", "area-hectare", tenths=0.2)
temperature = _measure(2, 39, "temperature-celsius", "temperature-fahrenheit", tenths=0.2)
oven = _measure(16, 24, "temperature-celsius", tenths=0.0)
speed = _measure(20, 190, "speed-kilometer-per-hour", "speed-mile-per-hour", tenths=0.0)
power = _measure(20, 250, "power-kilowatt", tenths=0.0)
energy = _measure(20, 900, "energy-kilowatt-hour", tenths=0.2)
data = _measure(2, 500, "digital-gigabyte", "digital-megabyte", tenths=0.2)

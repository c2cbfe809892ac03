"""Single phrases of the `cldr` corpus: dates, times, numbers, amounts, measures, places.

`PHRASES` are frames for training, in the notation of `cldr_frames`. `held_out_phrases` makes the
phrases that test a trained model, each with all correct German translations.
"""

import datetime
import random
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from babel import dates, lists, numbers, units
from num2words import num2words

from ls_base.errors import InputError
from lsk_translation.cldr import frames, names
from lsk_translation.cldr.draws import ARTICLES, DE, EN, clean, integer, pick, words

HELD_OUT_PHRASES = 200

# Alike on both sides; the number is a weight. Those that are computed (times of the afternoon) or
# put together (numbers in words) need more examples than those that are copied.
_SLOTS = {
    "date": 5,
    "date.on": 3,
    "wdate.on": 1,
    "daymonth": 1,
    "daymonth.on": 1,
    "monthyear": 1,
    "monthyear.in": 1,
    "month.in": 1,
    "year.in": 1,
    "years": 1,
    "weekday": 1,
    "weekday.on": 1,
    "weekday.every": 1,
    "time": 3,
    "time.at": 1,
    "anytime": 8,
    "anytime.at": 2,
    "clock": 2,
    "clock.at": 1,
    "reltime.in": 5,
    "reltime.ago": 5,
    "duration": 1,
    "when": 1,
    "number": 2,
    "age": 2,
    "spelled": 4,
    "percent": 2,
    "money": 4,
    "distance": 1,
    "height": 1,
    "weight": 1,
    "volume": 1,
    "area": 1,
    "land_area": 1,
    "temperature": 1,
    "speed": 1,
    "power": 1,
    "energy": 1,
    "data": 1,
    "nth.nom": 5,
    "city": 1,
    "city.in": 1,
    "cities": 1,
    "lands": 1,
    "land.in": 1,
    "land.to": 1,
    "lang": 1,
    "langs": 1,
    "count} {things": 3,
    "spelled} {things": 2,
}
PHRASES: tuple[tuple[str, str], ...] = tuple(
    (f"{{{slot}}}", f"{{{slot}}}") for slot, weight in _SLOTS.items() for _ in range(weight)
)


class Phrase(NamedTuple):
    """A phrase to be translated.

    Attributes:
        kind: What it says, such as "date".
        english: The phrase.
        german: All renderings that are right, the most usual one first.
    """

    kind: str
    english: str
    german: tuple[str, ...]


def held_out_phrases(count: int = HELD_OUT_PHRASES, seed: int = 0) -> list[Phrase]:
    """Draws phrases that are excluded from training text, equally many of each kind if possible.

    Args:
        count: How many.
        seed: The same seed gives the same phrases with the same versions of Babel and num2words.
    """
    rng = random.Random(f"cldr phrases {seed}")
    found: dict[str, Phrase] = {}
    while len(found) < count:
        kind = list(_KINDS)[len(found) % len(_KINDS)]
        english, german = _KINDS[kind](rng)
        found.setdefault(english, Phrase(kind, english, tuple(dict.fromkeys(german))))
    return list(found.values())


def draw_held_out(count: int, seed: int) -> list[Phrase]:
    """Draws some of the held-out phrases.

    Raises:
        InputError: If there are fewer.
    """
    if not 1 <= count <= HELD_OUT_PHRASES:
        raise InputError(f"Expected 1 to {HELD_OUT_PHRASES} phrases (--count). Received: {count}")
    phrases = held_out_phrases()
    rng = random.Random(f"cldr phrases drawn {seed}")
    return [phrases.pop(int(rng.random() * len(phrases))) for _ in range(count)]


def _date(rng: random.Random) -> tuple[str, Sequence[str]]:
    first, last = (datetime.date(year, *day).toordinal() for year, day in _DATES)
    day = datetime.date.fromordinal(integer(rng, first, last))
    before = pick(rng, (("", ""), ("on ", "am ")))
    english = pick(rng, ("long", "long", "medium", "d MMMM y"))
    german = ("long", "dd.MM.y", "d.M.y", "dd.MM.yy", "d.M.yy", "d. MMM y")
    return before[0] + dates.format_date(day, english, locale=EN), [
        before[1] + dates.format_date(day, pattern, locale=DE) for pattern in german
    ]


_DATES = ((2000, (1, 1)), (2035, (12, 31)))


def _time(rng: random.Random) -> tuple[str, Sequence[str]]:
    at = datetime.time(integer(rng, 6, 23), pick(rng, (0, 5, 10, 15, 20, 30, 40, 45, 50)))
    english = dates.format_time(at, pick(rng, ("short", "HH:mm")), locale=EN)
    patterns = ["HH:mm 'Uhr'", "H.mm 'Uhr'", "HH.mm 'Uhr'", "H:mm 'Uhr'"]
    if not at.minute:
        patterns = ["H 'Uhr'", *patterns]
    return clean(english), [dates.format_time(at, pattern, locale=DE) for pattern in patterns]


def _spelled(rng: random.Random) -> tuple[str, Sequence[str]]:
    value = integer(rng, 21, 99)
    return words(value)[0], [words(value)[1], str(value)]


def _number(rng: random.Random) -> tuple[str, Sequence[str]]:
    value = integer(rng, 20, 9999)
    digits = [numbers.format_decimal(value, locale=locale) for locale in (EN, DE)]
    return digits[0], [digits[1], str(value), words(value)[1]]


def _relative(rng: random.Random) -> tuple[str, Sequence[str]]:
    unit, most = pick(rng, (("minute", 59), ("hour", 23), ("day", 6), ("month", 11), ("year", 40)))
    value, sign = integer(rng, 2, most), pick(rng, (1, -1))
    delta = datetime.timedelta(seconds=sign * value * dict(dates.TIMEDELTA_UNITS)[unit])
    en, de = (
        dates.format_timedelta(delta, threshold=1, add_direction=True, locale=locale)
        for locale in (EN, DE)
    )
    spelled = words(value)
    if value <= 12 and pick(rng, (True, False)):
        en = en.replace(str(value), spelled[0])
    return en, [de, de.replace(str(value), spelled[1])]


def _money(rng: random.Random) -> tuple[str, Sequence[str]]:
    currency = pick(rng, ("EUR", "USD", "GBP", "CHF"))
    whole = pick(rng, (True, True, False))
    amount: float = integer(rng, 2, 200) + (0 if whole else pick(rng, (0.5, 0.2, 0.75, 0.99)))
    named = currency in frames.NAMED_CURRENCIES and pick(rng, (True, False))
    texts: list[list[str]] = []
    for locale, pattern in ((EN, "¤#,##0"), (DE, "#,##0 ¤")):
        symbol = numbers.format_currency(
            amount, currency, pattern if whole else None, locale, currency_digits=not whole
        )
        figures = numbers.format_decimal(amount, "#,##0" if whole else "#,##0.00", locale)
        name = numbers.get_currency_name(currency, amount, locale)
        texts.append([clean(symbol), f"{figures} {name}", f"{figures} {currency}"])
    return texts[0][named], texts[1]


def _percent(rng: random.Random) -> tuple[str, Sequence[str]]:
    value = integer(rng, 2, 95) / 100
    english = numbers.format_percent(value, locale=EN)
    german = numbers.format_percent(value, locale=DE)
    if pick(rng, (True, False)):
        english = english.replace("%", " percent")
    return english, [clean(german), clean(german).replace("%", "Prozent")]


def _measure(rng: random.Random) -> tuple[str, Sequence[str]]:
    name, most = pick(rng, _MEASURES)
    value = integer(rng, 2, most)
    lengths: tuple[Literal["long", "short"], ...] = ("long", "short")
    english, *german = (
        clean(units.format_unit(value, name, length, locale=locale))
        for length, locale in ((pick(rng, lengths), EN), ("long", DE), ("short", DE))
    )
    return english, german


_MEASURES = (
    ("length-kilometer", 950),
    ("length-meter", 180),
    ("mass-kilogram", 60),
    ("volume-liter", 90),
    ("temperature-celsius", 39),
    ("speed-kilometer-per-hour", 190),
)


def _place(rng: random.Random) -> tuple[str, Sequence[str]]:
    def two(names: Sequence[tuple[str, str]]) -> tuple[str, Sequence[str]]:
        first, second = pick(rng, names), pick(rng, names)
        if first == second:
            return two(names)
        return lists.format_list([first[0], second[0]], locale=EN), [
            lists.format_list([first[1], second[1]], locale=DE)
        ]

    lands = [
        (EN.territories[code], DE.territories[code]) for code in frames.TERRITORIES_WITHOUT_ARTICLE
    ]
    form = pick(rng, ("in", "to", "two lands", "two cities"))
    if form.startswith("two"):
        return two(lands if form == "two lands" else names.cities_named())
    en, de = pick(rng, lands)
    return f"{form} {en}", [f"{'in' if form == 'in' else 'nach'} {de}"]


def _things(rng: random.Random) -> tuple[str, Sequence[str]]:
    value = integer(rng, 2, 99)
    english, german, _ = pick(rng, frames.THINGS)
    spelled = words(value)
    return f"{pick(rng, (spelled[0], str(value)))} {english}", [
        f"{value} {german}",
        f"{spelled[1]} {german}",
    ]


def _ordered(rng: random.Random) -> tuple[str, Sequence[str]]:
    value = integer(rng, 1, 40)
    noun, gender, german = pick(rng, frames.ORDERED)
    english = num2words(value, lang="en", to=pick(rng, ("ordinal", "ordinal_num")))
    article = ARTICLES[gender]["nom"]
    spelled = num2words(value, lang="de", to="ordinal")
    return f"the {english} {noun}", [
        f"{article} {spelled} {german}",
        f"{article} {value}. {german}",
    ]


_KINDS: dict[str, Callable[[random.Random], tuple[str, Sequence[str]]]] = {
    "date": _date,
    "time": _time,
    "number in words": _spelled,
    "number": _number,
    "relative time": _relative,
    "amount": _money,
    "percentage": _percent,
    "measure": _measure,
    "place": _place,
    "count": _things,
    "ordinal": _ordered,
}

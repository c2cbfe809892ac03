"""What fills the slots of the `cldr` frames: Babel's CLDR data and num2words.

A slot function takes a `random.Random` and returns its forms, each a pair (English, German) of
renderings of one meaning. The German style (digits or words, long or short date) is drawn given
the English one, so that several translations are right and one is the likeliest. Only
`Random.random` is called: its stream is the same on every Python version and platform.
"""

import datetime
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from ls_keras.errors import MissingExtraError
from lsk_translation import cldr_frames as frames

try:
    from babel import Locale, dates, lists, numbers, units
    from num2words import num2words
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtraError(
        f"Expected the translation extra: pip install 'ls-keras[translation]'. Received: {error}"
    ) from error

Forms = dict[str, tuple[str, str]]
T = TypeVar("T")

EN, DE = Locale("en"), Locale("de")


def pick(rng: random.Random, choices: Sequence[T]) -> T:
    """Draws uniformly."""
    return choices[int(rng.random() * len(choices))]


def prefer(rng: random.Random, choices: Sequence[T]) -> T:
    """Draws the first with probability 1/2, the next with 1/4, …; the last takes the rest."""
    return choices[preferred_index(rng.random(), len(choices))]


def preferred_index(draw: float, count: int) -> int:
    """Returns the index that `prefer` takes of `count` choices for a uniform draw from [0, 1)."""
    index = 0
    while index < count - 1 and draw >= 0.5:
        index, draw = index + 1, 2 * draw - 1
    return index


def integer(rng: random.Random, low: int, high: int) -> int:
    """Draws an integer from [low, high]."""
    return low + int(rng.random() * (high - low + 1))


def clean(text: str) -> str:
    """Replaces CLDR's no-break spaces by ordinary ones."""
    return text.replace("\u202f", " ").replace("\xa0", " ")


def _style(rng: random.Random, weights: Sequence[float]) -> int:
    draw = rng.random() * sum(weights)
    for index, weight in enumerate(weights):
        draw -= weight
        if draw < 0:
            return index
    return len(weights) - 1


# P(English style), then P(German style | English style).
_Styles = tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]
_WORDS_OR_DIGITS: _Styles = ((0.3, 0.7), ((0.8, 0.2), (0.1, 0.9)))
_LONG_OR_SHORT: _Styles = ((0.55, 0.45), ((0.8, 0.2), (0.15, 0.85)))


def _both_styles(rng: random.Random, styles: _Styles) -> tuple[int, int]:
    english = _style(rng, styles[0])
    return english, _style(rng, styles[1][english])


def _same(en: str, de: str, /, **forms: tuple[str, str]) -> Forms:
    return {"": (en, de), **forms}


# Dates -------------------------------------------------------------------------------------------

_DATE_STYLES: _Styles = (
    (0.6, 0.2, 0.1, 0.1),
    ((0.8, 0.14, 0.06, 0.0), (0.35, 0.55, 0.1, 0.0), (0.85, 0.1, 0.05, 0.0), (0.0, 0.2, 0.1, 0.7)),
)
_EN_DATES = ("long", "medium", "d MMMM y", "short")
_DE_DATES = ("long", "medium", "d.M.y", "short")


def _day_between(rng: random.Random, first_year: int, last_year: int) -> datetime.date:
    first = datetime.date(first_year, 1, 1).toordinal()
    last = datetime.date(last_year, 12, 31).toordinal()
    return datetime.date.fromordinal(integer(rng, first, last))


def _date(rng: random.Random, day: datetime.date) -> Forms:
    # The short style drops the century, so its meaning is a date of ours.
    english, german = _both_styles(rng, _DATE_STYLES)
    en = dates.format_date(day, _EN_DATES[english], locale=EN)
    de = dates.format_date(day, _DE_DATES[german], locale=DE)
    return _same(en, de, on=(f"on {en}", f"am {de}"))


def date(rng: random.Random) -> Forms:
    """A day of 2000–2035."""
    return _date(rng, _day_between(rng, 2000, 2035))


def pastdate(rng: random.Random) -> Forms:
    """A day of 1970–2022."""
    return _date(rng, _day_between(rng, 1970, 2022))


def wdate(rng: random.Random) -> Forms:
    """A day with its weekday."""
    day = _day_between(rng, 2020, 2035)
    english, german = _both_styles(rng, ((0.75, 0.25), ((0.9, 0.1), (0.4, 0.6))))
    en = dates.format_date(day, ("full", "EEE, MMM d, y")[english], locale=EN)
    pattern = (("EEEE, 'dem' d. MMMM y", "EEEE, 'den' d. MMMM y", "full"), ("EEE, d. MMMM y",))
    de = dates.format_date(day, prefer(rng, pattern[german]), locale=DE)
    return {"on": (f"on {en}", f"am {de}")}


def daymonth(rng: random.Random) -> Forms:
    """A day of the year."""
    day = _day_between(rng, 2024, 2024)
    en = dates.format_skeleton("MMMMd", day, locale=EN)
    de = dates.format_skeleton("MMMMd", day, locale=DE)
    return _same(en, de, on=(f"on {en}", f"am {de}"))


def month(rng: random.Random) -> Forms:
    """A month."""
    number = integer(rng, 1, 12)
    en, de = (locale.months["format"]["wide"][number] for locale in (EN, DE))
    return {"in": (f"in {en}", f"im {de}")}


def _monthyear(rng: random.Random, first_year: int, last_year: int) -> Forms:
    day = _day_between(rng, first_year, last_year)
    en, de = (dates.format_skeleton("yMMMM", day, locale=locale) for locale in (EN, DE))
    return {"in": (f"in {en}", f"im {de}")}


def monthyear(rng: random.Random) -> Forms:
    """A month of a past year."""
    return _monthyear(rng, 1990, 2023)


def weekday(rng: random.Random) -> Forms:
    """A day of the week."""
    number = integer(rng, 0, 6)
    en, de = (locale.days["format"]["wide"][number] for locale in (EN, DE))
    adverb = f"{de.lower()}s"
    return _same(
        en,
        de,
        on=(f"on {en}", f"am {de}"),
        s=(f"{en}s", adverb),
        every=(prefer(rng, (f"every {en}", f"on {en}s")), prefer(rng, (f"jeden {de}", adverb))),
        next=(f"next {en}", prefer(rng, (f"nächsten {de}", f"am nächsten {de}"))),
        last=(f"last {en}", prefer(rng, (f"letzten {de}", f"am letzten {de}"))),
    )


def year(rng: random.Random) -> Forms:
    """A year from 1800 to 2023."""
    number = integer(rng, 1800, 2023)
    spoken = (num2words(number, lang="en", to="year"), num2words(number, lang="de", to="year"))
    return {
        "in": (f"in {number}", prefer(rng, (f"im Jahr {number}", str(number)))),
        "spoken": spoken,
    }


def years(rng: random.Random) -> Forms:
    """A span of years."""
    first = integer(rng, 1950, 2010)
    last = first + integer(rng, 2, 12)
    return _same(f"{first} to {last}", f"{first} bis {last}")


# Times -------------------------------------------------------------------------------------------


def time(rng: random.Random) -> Forms:
    """A time of day, a.m. or p.m. on the English side or counted to 24."""
    at = datetime.time(integer(rng, 6, 23), pick(rng, (0, 0, 5, 10, 15, 20, 30, 30, 40, 45, 50)))
    if at.minute:
        en = dates.format_time(at, prefer(rng, ("short", "HH:mm")), locale=EN)
        patterns: tuple[str, ...] = ("HH:mm 'Uhr'", "H.mm 'Uhr'")
    else:
        en = dates.format_time(at, prefer(rng, ("h a", "short")), locale=EN)
        patterns = ("H 'Uhr'", "HH:mm 'Uhr'")
    de = dates.format_time(at, prefer(rng, patterns), locale=DE)
    return _same(clean(en), de, at=(f"at {clean(en)}", f"um {de}"))


def hours(rng: random.Random) -> Forms:
    """Opening hours."""
    first, last = datetime.time(integer(rng, 6, 12)), datetime.time(integer(rng, 13, 22))
    en_first, en_last = (dates.format_time(t, "h a", locale=EN) for t in (first, last))
    return {
        "open": (en_first, prefer(rng, (str(first.hour), f"{first.hour} Uhr"))),
        "close": (en_last, f"{last.hour} Uhr"),
    }


def clock(rng: random.Random) -> Forms:
    """A time as it is said: "half past two", "halb drei"."""
    hour = integer(rng, 1, 12)
    following = hour % 12 + 1
    en, de = words(hour)
    en_next, de_next = words(following)
    minutes = pick(rng, (0, 0, 5, 10, 15, 15, 20, 30, 30, 40, 45, 45, 50, 55))
    if minutes == 0:
        en, de = f"{en} o'clock", f"{'ein' if hour == 1 else de} Uhr"
    elif minutes == 30:
        en, de = f"half past {en}", f"halb {de_next}"
    else:
        left = min(minutes, 60 - minutes)
        en_left, de_left = ("quarter", "Viertel") if left == 15 else words(left)
        if minutes < 30:
            en, de = f"{en_left} past {en}", f"{de_left} nach {de}"
        else:
            en, de = f"{en_left} to {en_next}", f"{de_left} vor {de_next}"
    return _same(en, de, at=(f"at {en}", f"um {de}"))


# Unit and the greatest count that CLDR does not turn into the next greater unit.
_SPANS = (("minute", 59), ("hour", 23), ("day", 6), ("week", 4), ("month", 11), ("year", 40))
_SECONDS = dict(dates.TIMEDELTA_UNITS)


def _span(rng: random.Random) -> tuple[int, str, int, int]:
    unit, most = pick(rng, _SPANS)
    count = integer(rng, 2, most)
    styles = _both_styles(rng, _WORDS_OR_DIGITS) if count <= 12 else (1, 1)
    return count, unit, *styles


def _in_words(text: str, count: int, language: int, style: int) -> str:
    return text if style else text.replace(str(count), words(count)[language])


def reltime(rng: random.Random) -> Forms:
    """A time ago or a time ahead."""
    count, unit, english, german = _span(rng)
    delta = datetime.timedelta(seconds=count * _SECONDS[unit])
    forms = {}
    for form, sign in (("in", 1), ("ago", -1)):
        en, de = (
            dates.format_timedelta(sign * delta, threshold=1, add_direction=True, locale=locale)
            for locale in (EN, DE)
        )
        forms[form] = (_in_words(en, count, 0, english), _in_words(de, count, 1, german))
    return forms


def duration(rng: random.Random) -> Forms:
    """A length of time; `dat` is the German dative."""
    count, unit, english, german = _span(rng)
    en, de = (units.format_unit(count, f"duration-{unit}", locale=locale) for locale in (EN, DE))
    delta = datetime.timedelta(seconds=count * _SECONDS[unit])
    ahead = dates.format_timedelta(delta, threshold=1, add_direction=True, locale=DE)
    dative = ahead.removeprefix("in ")
    en = _in_words(clean(en), count, 0, english)
    return _same(
        en,
        _in_words(clean(de), count, 1, german),
        dat=(en, _in_words(clean(dative), count, 1, german)),
    )


_DAYS = (
    (("tomorrow", ("morgen",)), 2),
    (("the day after tomorrow", ("übermorgen",)), 1),
    (("tonight", ("heute Abend",)), 1),
    (("this afternoon", ("heute Nachmittag",)), 1),
)
_FUTURE = (
    (("next week", ("nächste Woche", "in der nächsten Woche", "kommende Woche")), 1),
    (("next month", ("nächsten Monat", "im nächsten Monat")), 1),
    (("next year", ("nächstes Jahr", "im nächsten Jahr")), 1),
)
_PAST = (
    (("yesterday", ("gestern",)), 2),
    (("the day before yesterday", ("vorgestern",)), 1),
    (("last night", ("gestern Abend",)), 1),
    (("last week", ("letzte Woche", "in der letzten Woche", "vorige Woche")), 1),
    (("last month", ("letzten Monat", "im letzten Monat")), 1),
    (("last year", ("letztes Jahr", "im letzten Jahr", "im vergangenen Jahr")), 1),
)


def _adverb(rng: random.Random, table: Sequence) -> Forms:
    en, de = table[_style(rng, [weight for _, weight in table])][0]
    return _same(en, prefer(rng, de))


def _form(name: str, slot: Callable[[random.Random], Forms]) -> Callable[[random.Random], Forms]:
    return lambda rng: {"": slot(rng)[name]}


def _one_of(*parts: tuple[float, Callable]) -> Callable[[random.Random], Forms]:
    weights = [weight for weight, _ in parts]
    return lambda rng: parts[_style(rng, weights)][1](rng)


day = _one_of(
    (3, lambda rng: {"": _date(rng, _day_between(rng, 2025, 2035))["on"]}),
    (2, _form("on", wdate)),
    (2, _form("on", daymonth)),
    (2, _form("on", weekday)),
    (2, _form("next", weekday)),
    (2, lambda rng: _adverb(rng, _DAYS)),
)
future = _one_of(
    (5, day),
    (3, _form("in", reltime)),
    (1, lambda rng: {"": _monthyear(rng, 2025, 2040)["in"]}),
    (1, lambda rng: _adverb(rng, _FUTURE)),
)
past = _one_of(
    (3, _form("on", pastdate)),
    (3, _form("ago", reltime)),
    (2, _form("in", year)),
    (2, _form("in", monthyear)),
    (1, _form("last", weekday)),
    (2, lambda rng: _adverb(rng, _PAST)),
)
when = _one_of((1, future), (1, past))


# Numbers -----------------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def words(number: int) -> tuple[str, str]:
    """Returns a cardinal in English and German words."""
    return num2words(number, lang="en"), num2words(number, lang="de")


@lru_cache(maxsize=1024)
def _ordinal_words(number: int) -> tuple[str, str, str]:
    return (
        num2words(number, lang="en", to="ordinal"),
        num2words(number, lang="en", to="ordinal_num"),
        num2words(number, lang="de", to="ordinal"),
    )


def _cardinal(rng: random.Random, value: int) -> Forms:
    english, german = _both_styles(rng, _WORDS_OR_DIGITS)
    texts = []
    for language, (style, locale) in enumerate(((english, EN), (german, DE))):
        digits = numbers.format_decimal(value, locale=locale)
        texts.append(digits if style else words(value)[language])
    return _same(*texts)


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
    return _same(en, de)


def age(rng: random.Random) -> Forms:
    """An age in years."""
    return _cardinal(rng, integer(rng, 2, 99))


def goals(rng: random.Random) -> Forms:
    """A count of goals."""
    return _cardinal(rng, integer(rng, 0, 9))


def room(rng: random.Random) -> Forms:
    """The number of a room."""
    text = str(integer(rng, 1, 450))
    return _same(text, text)


def percent(rng: random.Random) -> Forms:
    """A percentage."""
    value = integer(rng, 2, 95) / 100 if rng.random() < 0.7 else integer(rng, 21, 399) / 1000
    english, german = _both_styles(rng, _LONG_OR_SHORT)
    en = numbers.format_percent(value, "#,##0.#%", locale=EN)
    de = clean(numbers.format_percent(value, "#,##0.# %", locale=DE))
    en = en if english else en.replace("%", " percent")
    return _same(en, de if german else de.replace("%", "Prozent"))


def _ordinal_pair(rng: random.Random, value: int) -> tuple[str, str]:
    """Returns English, and German without its ending; figures end in a point."""
    english, german = _both_styles(rng, ((0.65, 0.35), ((0.85, 0.15), (0.2, 0.8))))
    en_words, en_figures, de_words = _ordinal_words(value)
    en = en_figures if english else en_words
    return en, f"{value}." if german else de_words.removesuffix("e")


def _inflected(stem: str, ending: str) -> str:
    return stem if stem.endswith(".") else stem + ending


def ordinal(rng: random.Random) -> Forms:
    """An ordinal with the weak endings -e and -en."""
    en, stem = _ordinal_pair(rng, integer(rng, 1, 25))
    return _same(
        en, _inflected(stem, "e"), e=(en, _inflected(stem, "e")), en=(en, _inflected(stem, "en"))
    )


_ARTICLES = {
    "m": {"nom": "der", "acc": "den", "dat": "dem", "in": "im", "to": "zum"},
    "f": {"nom": "die", "acc": "die", "dat": "der", "in": "in der", "to": "zur"},
    "n": {"nom": "das", "acc": "das", "dat": "dem", "in": "im", "to": "zum"},
}


def nth(rng: random.Random) -> Forms:
    """An ordinal with article and noun: "the third chapter", "das dritte Kapitel"."""
    noun, gender, german = pick(rng, frames.ORDERED)
    en, stem = _ordinal_pair(rng, integer(rng, 1, 40))
    articles = _ARTICLES[gender]
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
    return _same(f"the {en} floor", f"im {_inflected(stem, 'en')} {story}")


# Money and measures ------------------------------------------------------------------------------


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
        english, german = _both_styles(rng, _LONG_OR_SHORT)
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
    return _same(*texts)


def _measure(low: int, high: int, *names: str, tenths: float = 0.3) -> Callable:
    def measure(rng: random.Random) -> Forms:
        name = pick(rng, names)
        value: float = integer(rng, low, high)
        if rng.random() < tenths:
            value += integer(rng, 1, 9) / 10
        english, german = _both_styles(rng, _LONG_OR_SHORT)
        lengths = ("long", "short")
        return _same(
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


# Names -------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _cities() -> tuple[tuple[str, str], ...]:
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
    en, de = pick(rng, _cities())
    return _same(en, de, **{"in": (f"in {en}", f"in {de}")})


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
    rng: random.Random, names: Sequence[tuple[str, str]], style: str = "standard"
) -> Forms:
    wanted, chosen = 2 if rng.random() < 0.65 else 3, []
    while len(chosen) < wanted:
        name = pick(rng, names)
        if name not in chosen:
            chosen.append(name)
    en = lists.format_list([name[0] for name in chosen], style=style, locale=EN)
    de = lists.format_list([name[1] for name in chosen], style=style, locale=DE)
    return _same(en, de)


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
    return _several(rng, _cities())


def lang(rng: random.Random) -> Forms:
    """A language."""
    return _same(*pick(rng, _languages()))


def langs(rng: random.Random) -> Forms:
    """Two or three languages, joined by "and" or (`or`) by "or"."""
    return {**_several(rng, _languages()), "or": _several(rng, _languages(), "or")[""]}


def person(rng: random.Random) -> Forms:
    """A first name."""
    name = pick(rng, frames.PERSONS)
    return _same(name, name)


def persons(rng: random.Random) -> Forms:
    """Two or three first names."""
    return _several(rng, [(name, name) for name in frames.PERSONS])


def event(rng: random.Random) -> Forms:
    """An event with its article; `to` is "zum" or "zur"."""
    en, nouns = pick(rng, frames.EVENTS)
    gender, noun = prefer(rng, nouns)
    return {form: (en, f"{article} {noun}") for form, article in _ARTICLES[gender].items()}


def things(rng: random.Random) -> Forms:
    """A plural noun; `dat` is the German dative."""
    en, de, dative = pick(rng, frames.THINGS)
    return _same(en, de, dat=(en, dative))


SLOTS: dict[str, Callable[[random.Random], Forms]] = {
    name: globals()[name]
    for name in [
        "date",
        "pastdate",
        "wdate",
        "daymonth",
        "month",
        "monthyear",
        "weekday",
        "year",
        "years",
        "time",
        "hours",
        "clock",
        "reltime",
        "duration",
        "day",
        "future",
        "past",
        "when",
        "count",
        "number",
        "age",
        "goals",
        "room",
        "percent",
        "ordinal",
        "nth",
        "floor",
        "money",
        "distance",
        "height",
        "weight",
        "volume",
        "area",
        "land_area",
        "temperature",
        "oven",
        "speed",
        "power",
        "energy",
        "data",
        "city",
        "land",
        "lands",
        "cities",
        "lang",
        "langs",
        "person",
        "persons",
        "event",
        "things",
    ]
}

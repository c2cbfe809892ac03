"""Dates, times and spans of time for the `cldr` frames, by Babel's CLDR data."""

import datetime
import random
from collections.abc import Sequence

from babel import dates, units
from num2words import num2words

from lsk_translation.cldr.draws import (
    DE,
    EN,
    WORDS_OR_DIGITS,
    Forms,
    Styles,
    both_styles,
    clean,
    form_of,
    integer,
    one_of,
    pick,
    prefer,
    same,
    weighted,
    words,
)

_DATE_STYLES: Styles = (
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
    english, german = both_styles(rng, _DATE_STYLES)
    en = dates.format_date(day, _EN_DATES[english], locale=EN)
    de = dates.format_date(day, _DE_DATES[german], locale=DE)
    return same(en, de, on=(f"on {en}", f"am {de}"))


def date(rng: random.Random) -> Forms:
    """A day of 2000–2035."""
    return _date(rng, _day_between(rng, 2000, 2035))


def pastdate(rng: random.Random) -> Forms:
    """A day of 1970–2022."""
    return _date(rng, _day_between(rng, 1970, 2022))


def wdate(rng: random.Random) -> Forms:
    """A day with its weekday."""
    day = _day_between(rng, 2020, 2035)
    english, german = both_styles(rng, ((0.75, 0.25), ((0.9, 0.1), (0.4, 0.6))))
    en = dates.format_date(day, ("full", "EEE, MMM d, y")[english], locale=EN)
    pattern = (("EEEE, 'dem' d. MMMM y", "EEEE, 'den' d. MMMM y", "full"), ("EEE, d. MMMM y",))
    de = dates.format_date(day, prefer(rng, pattern[german]), locale=DE)
    return {"on": (f"on {en}", f"am {de}")}


def daymonth(rng: random.Random) -> Forms:
    """A day of the year."""
    day = _day_between(rng, 2024, 2024)
    en = dates.format_skeleton("MMMMd", day, locale=EN)
    de = dates.format_skeleton("MMMMd", day, locale=DE)
    return same(en, de, on=(f"on {en}", f"am {de}"))


def month(rng: random.Random) -> Forms:
    """A month."""
    number = integer(rng, 1, 12)
    en, de = (locale.months["format"]["wide"][number] for locale in (EN, DE))
    return {"in": (f"in {en}", f"im {de}")}


def _monthyear(rng: random.Random, first_year: int, last_year: int) -> Forms:
    day = _day_between(rng, first_year, last_year)
    en, de = (dates.format_skeleton("yMMMM", day, locale=locale) for locale in (EN, DE))
    return same(en, de, **{"in": (f"in {en}", f"im {de}")})


def monthyear(rng: random.Random) -> Forms:
    """A month of a past year."""
    return _monthyear(rng, 1990, 2023)


def weekday(rng: random.Random) -> Forms:
    """A day of the week."""
    number = integer(rng, 0, 6)
    en, de = (locale.days["format"]["wide"][number] for locale in (EN, DE))
    adverb = f"{de.lower()}s"
    return same(
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
    return _year(rng, 1800)


def _year(rng: random.Random, first: int) -> Forms:
    number = integer(rng, first, 2023)
    spoken = (num2words(number, lang="en", to="year"), num2words(number, lang="de", to="year"))
    return {
        "in": (f"in {number}", prefer(rng, (f"im Jahr {number}", str(number)))),
        "spoken": spoken,
    }


def years(rng: random.Random) -> Forms:
    """A span of years."""
    first = integer(rng, 1950, 2010)
    last = first + integer(rng, 2, 12)
    return same(f"{first} to {last}", f"{first} bis {last}")


def time(rng: random.Random) -> Forms:
    """A time of day, a.m. or p.m. on the English side or counted to 24."""
    minute = pick(rng, (0, 0, 5, 10, 15, 20, 30, 30, 40, 45, 50))
    return _time(rng, datetime.time(integer(rng, 6, 23), minute))


def anytime(rng: random.Random) -> Forms:
    """A time of day to the minute: too many to be known by heart."""
    return _time(rng, datetime.time(integer(rng, 0, 23), integer(rng, 0, 59)))


def _time(rng: random.Random, at: datetime.time) -> Forms:
    if at.minute:
        en = dates.format_time(at, prefer(rng, ("short", "HH:mm")), locale=EN)
        patterns: tuple[str, ...] = ("HH:mm 'Uhr'", "H.mm 'Uhr'")
    else:
        en = dates.format_time(at, prefer(rng, ("h a", "short")), locale=EN)
        patterns = ("H 'Uhr'", "HH:mm 'Uhr'")
    de = dates.format_time(at, prefer(rng, patterns), locale=DE)
    return same(clean(en), de, at=(f"at {clean(en)}", f"um {de}"))


def hours(rng: random.Random) -> Forms:
    """Opening hours."""
    first, last = datetime.time(integer(rng, 6, 12)), datetime.time(integer(rng, 13, 22))
    en_first, en_last = (dates.format_time(t, "h a", locale=EN) for t in (first, last))
    return {
        "open": (en_first, prefer(rng, (str(first.hour), f"{first.hour} Uhr"))),
        "close": (en_last, f"{last.hour} Uhr"),
    }


def clock(rng: random.Random) -> Forms:
    """A spoken time: "half past two", "halb drei"."""
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
    return same(en, de, at=(f"at {en}", f"um {de}"))


# Unit and the greatest count that CLDR does not turn into the next greater unit.
_SPANS = (("minute", 59), ("hour", 23), ("day", 6), ("week", 4), ("month", 11), ("year", 40))
_SECONDS = dict(dates.TIMEDELTA_UNITS)


def _span(rng: random.Random, spans: Sequence[tuple[str, int]]) -> tuple[int, str, int, int]:
    unit, most = pick(rng, spans)
    count = integer(rng, 2, most)
    styles = both_styles(rng, WORDS_OR_DIGITS) if count <= 12 else (1, 1)
    return count, unit, *styles


def _in_words(text: str, count: int, language: int, style: int) -> str:
    return text if style else text.replace(str(count), words(count)[language])


def reltime(rng: random.Random) -> Forms:
    """A time ago or a time ahead."""
    count, unit, english, german = _span(rng, _SPANS)
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
    """A length of time, up to years; `dat` is the German dative."""
    return _duration(rng, _SPANS)


def brief(rng: random.Random) -> Forms:
    """A length of time, minutes or hours."""
    return _duration(rng, _SPANS[:2])


def _duration(rng: random.Random, spans: Sequence[tuple[str, int]]) -> Forms:
    count, unit, english, german = _span(rng, spans)
    en, de = (units.format_unit(count, f"duration-{unit}", locale=locale) for locale in (EN, DE))
    delta = datetime.timedelta(seconds=count * _SECONDS[unit])
    ahead = dates.format_timedelta(delta, threshold=1, add_direction=True, locale=DE)
    dative = ahead.removeprefix("in ")
    en = _in_words(clean(en), count, 0, english)
    return same(
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
    en, de = table[weighted(rng, [weight for _, weight in table])][0]
    return same(en, prefer(rng, de))


day = one_of(
    (3, lambda rng: {"": _date(rng, _day_between(rng, 2025, 2035))["on"]}),
    (2, form_of(wdate, "on")),
    (2, form_of(daymonth, "on")),
    (2, form_of(weekday, "on")),
    (2, form_of(weekday, "next")),
    (2, lambda rng: _adverb(rng, _DAYS)),
)
future = one_of(
    (5, day),
    (3, form_of(reltime, "in")),
    (1, lambda rng: {"": _monthyear(rng, 2025, 2040)["in"]}),
    (1, lambda rng: _adverb(rng, _FUTURE)),
)
past = one_of(
    (3, form_of(pastdate, "on")),
    (3, form_of(reltime, "ago")),
    (2, lambda rng: {"": _year(rng, 1960)["in"]}),
    (2, form_of(monthyear, "in")),
    (1, form_of(weekday, "last")),
    (2, lambda rng: _adverb(rng, _PAST)),
)
when = one_of((1, future), (1, past))

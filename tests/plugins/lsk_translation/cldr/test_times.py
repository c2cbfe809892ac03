import random
import re

import pytest

from lsk_translation.cldr import times


class Draws(random.Random):
    """Gives the listed numbers, then 0."""

    def __init__(self, *values):
        super().__init__(0)
        self.values = list(values)

    def random(self):
        return self.values.pop(0) if self.values else 0.0


@pytest.mark.parametrize(
    ("hour", "minute_index", "english", "german"),
    [
        (1, 0, "one o'clock", "ein Uhr"),
        (2, 7, "half past two", "halb drei"),
        (12, 7, "half past twelve", "halb eins"),
        (3, 5, "quarter past three", "Viertel nach drei"),
        (12, 10, "quarter to one", "Viertel vor eins"),
        (4, 2, "five past four", "fünf nach vier"),
        (7, 12, "ten to eight", "zehn vor acht"),
    ],
)
def test_clock(hour, minute_index, english, german):
    forms = times.clock(Draws((hour - 0.5) / 12, (minute_index + 0.5) / 14))
    assert forms[""] == (english, german)
    assert forms["at"] == (f"at {english}", f"um {german}")


def test_date_styles_keep_the_century_unless_the_source_drops_it():
    rng = random.Random(0)
    short = 0
    for _ in range(3000):
        en, de = times.date(rng)[""]
        if "/" in en:
            short += re.fullmatch(r"\d\d\.\d\d\.\d\d", de) is not None
        else:
            assert re.search(r"\b20\d\d$", en).group() == re.search(r"\b20\d\d$", de).group()
    assert short > 100


def test_weekday_forms():
    forms = times.weekday(Draws(0.0))
    assert forms[""] == ("Monday", "Montag")
    assert forms["on"] == ("on Monday", "am Montag")
    assert forms["every"] == ("every Monday", "jeden Montag")
    assert forms["s"] == ("Mondays", "montags")


def test_relative_times_are_in_the_dative_and_agree():
    rng = random.Random(0)
    endings = set()
    for _ in range(2000):
        forms = times.reltime(rng)
        en, de = forms["ago"]
        assert en.endswith(" ago")
        assert de.startswith("vor ")
        assert forms["in"][1] == "in" + de.removeprefix("vor")
        endings.add((en.split()[-2], de.split()[-1]))
    assert endings == {
        ("minutes", "Minuten"),
        ("hours", "Stunden"),
        ("days", "Tagen"),
        ("weeks", "Wochen"),
        ("months", "Monaten"),
        ("years", "Jahren"),
    }


def test_durations_have_a_dative_of_their_own():
    rng = random.Random(0)
    cases = set()
    for _ in range(500):
        forms = times.duration(rng)
        cases.add((forms[""][1].split()[-1], forms["dat"][1].split()[-1]))
        assert forms[""][1].split()[0] == forms["dat"][1].split()[0]
    assert ("Tage", "Tagen") in cases
    assert ("Wochen", "Wochen") in cases


def test_times_count_to_24_in_german():
    rng = random.Random(0)
    for _ in range(500):
        en, de = times.time(rng)[""]
        hour = int(en.split()[0].split(":")[0])
        if en.endswith("PM"):
            hour = hour % 12 + 12
        assert int(de.replace(".", ":").split(":")[0].split()[0]) == hour
        assert de.endswith(" Uhr")

import random

from lsk_translation.cldr import names
from lsk_translation.cldr.frames import CITY_ZONES


def test_lands_take_their_article():
    rng = random.Random(0)
    forms = [names.land(rng) for _ in range(4000)]
    inside = {form["in"] for form in forms}
    assert ("in France", "in Frankreich") in inside
    assert ("in Switzerland", "in der Schweiz") in inside
    assert ("in the Netherlands", "in den Niederlanden") in inside
    assert ("in the United States", "in den Vereinigten Staaten") in inside
    toward = {form["to"] for form in forms}
    assert ("to Switzerland", "in die Schweiz") in toward
    assert ("to the United States", "in die Vereinigten Staaten") in toward
    assert ("to France", "nach Frankreich") in toward
    origin = {form["from"] for form in forms}
    assert ("from the Philippines", "aus den Philippinen") in origin
    assert ("from Slovakia", "aus der Slowakei") in origin


def test_cities_are_translated():
    rng = random.Random(0)
    cities = {names.city(rng)[""] for _ in range(3000)}
    assert len(cities) == len(CITY_ZONES)
    assert ("Vienna", "Wien") in cities
    assert ("Tokyo", "Tokio") in cities


def test_lists_hold_distinct_names_joined_as_the_language_does():
    rng = random.Random(0)
    for _ in range(300):
        en, de = names.lands(rng)[""]
        found = de.replace(" und ", ", ").split(", ")
        assert len(set(found)) == len(found)
        assert len(found) in (2, 3)
        assert en.count(",") == (0 if len(found) == 2 else 2)
    assert " oder " in names.langs(rng)["or"][1]


def test_events_take_their_article():
    rng = random.Random(0)
    forms = [names.event(rng) for _ in range(1000)]
    assert ("the meeting", "zur Besprechung") in {form["to"] for form in forms}
    assert ("the concert", "zum Konzert") in {form["to"] for form in forms}
    assert ("the workshop", "den Workshop") in {form["acc"] for form in forms}

import random
import re

import pytest

from lsk_translation.cldr import numbers


@pytest.mark.parametrize("slot", [numbers.count, numbers.number, numbers.age])
def test_figures_are_equal_where_both_sides_have_them(slot):
    rng, both = random.Random(0), 0
    for _ in range(500):
        en, de = slot(rng)[""]
        if en[0].isdigit() and de[0].isdigit():
            assert en.replace(",", "") == de.replace(".", "")
            both += 1
    assert both > 100


def test_counts_take_no_singular():
    rng = random.Random(0)
    assert not {"1", "eins", "ein"} & {numbers.count(rng)[""][1] for _ in range(2000)}


def test_ordinals_are_inflected():
    rng = random.Random(0)
    forms = {numbers.ordinal(rng)["en"] for _ in range(2000)}
    assert ("third", "dritten") in forms
    assert ("first", "ersten") in forms
    assert ("third", "3.") in forms
    assert ("3rd", "3.") in forms
    assert ("seventh", "siebten") in forms


def test_nouns_keep_their_gender():
    rng = random.Random(0)
    forms = [numbers.nth(rng) for _ in range(3000)]
    nominatives = {form["nom"] for form in forms}
    assert ("the third chapter", "das dritte Kapitel") in nominatives
    assert ("the third volume", "der dritte Band") in nominatives
    assert ("the third edition", "die dritte Auflage") in nominatives
    assert ("the third volume", "den dritten Band") in {form["acc"] for form in forms}
    assert ("in the third edition", "in der dritten Auflage") in {form["in"] for form in forms}


def test_amounts_agree():
    rng = random.Random(0)
    for _ in range(1000):
        en, de = numbers.money(rng)[""]
        english = float(re.search(r"[\d.,]*\d", en).group().replace(",", ""))
        german = re.search(r"[\d.,]*\d", de).group().replace(".", "").replace(",", ".")
        assert float(german) == english


def test_named_currencies():
    rng = random.Random(0)
    names = {numbers.money(rng)[""][1].split(" ", 1)[1] for _ in range(3000)}
    assert {"Euro", "US-Dollar", "Schweizer Franken", "€", "$"} <= names


def test_measures_agree():
    rng = random.Random(0)
    for _ in range(300):
        en, de = numbers.distance(rng)[""]
        assert en.split()[0].replace(".", ",") == de.split()[0]
        assert de.split()[1] in ("Kilometer", "km", "Meilen", "mi")


def test_percentages():
    rng = random.Random(0)
    for _ in range(300):
        en, de = numbers.percent(rng)[""]
        assert re.fullmatch(r"[\d.]+(%| percent)", en)
        assert re.fullmatch(r"[\d,]+ (%|Prozent)", de)
        assert re.match(r"[\d.]+", en).group().replace(".", ",") == de.split()[0]

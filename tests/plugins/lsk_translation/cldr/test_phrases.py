import re

import pytest

from ls_base.errors import InputError
from lsk_translation.cldr.corpus import cldr_splits, normalized
from lsk_translation.cldr.phrases import (
    HELD_OUT_PHRASES,
    PHRASES,
    draw_held_out,
    held_out_phrases,
)
from lsk_translation.data import load_source

ASKED = held_out_phrases()


def test_phrases_are_distinct_and_of_every_kind():
    assert len(ASKED) == HELD_OUT_PHRASES == 200
    assert len({phrase.english for phrase in ASKED}) == 200
    kinds = [phrase.kind for phrase in ASKED]
    assert {kinds.count(kind) for kind in kinds} <= {18, 19}
    assert len(set(kinds)) == 11
    assert held_out_phrases() == ASKED
    assert held_out_phrases(20) == ASKED[:20]


def test_every_rendering_says_the_same_figures():
    """Of those in digits; words are num2words', whose tables are tested where they are drawn."""
    checked = 0
    for phrase in ASKED:
        if phrase.kind not in ("number", "amount", "percentage", "measure", "count"):
            continue
        said = {re.sub(r"\D", "", text) for text in (phrase.english, *phrase.german)} - {""}
        assert len(said) == 1, phrase
        checked += 1
    assert checked > 80


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("July 2, 2011", ("2. Juli 2011", "02.07.2011", "2.7.2011")),
        ("8:50 PM", ("20:50 Uhr", "20.50 Uhr")),
        ("twenty-eight", ("achtundzwanzig", "28")),
        ("eleven months ago", ("vor 11 Monaten", "vor elf Monaten")),
        ("the nineteenth letter", ("der neunzehnte Brief", "der 19. Brief")),
    ],
)
def test_known_phrases_have_their_right_translations(english, german):
    (found,) = (phrase.german for phrase in ASKED if phrase.english == english)
    assert set(german) <= set(found)


def test_no_training_text_holds_a_phrase_that_is_asked_for():
    sources = {normalized(phrase.english) for phrase in ASKED}
    targets = {normalized(text) for phrase in ASKED for text in phrase.german}
    splits = cldr_splits(3000, phrase_fraction=0.7)
    for rows in splits.values():
        assert not sources & {normalized(source) for source, _ in rows}
        assert not targets & {normalized(target) for _, target in rows}
    plain = cldr_splits(3000)
    assert sum(len(s) < 12 for s, _ in splits["train"]) > 3 * sum(
        len(s) < 12 for s, _ in plain["train"]
    )


def test_no_rendering_is_a_phrase_of_another_meaning():
    said: dict[str, set[str]] = {}
    for phrase in ASKED:
        if phrase.kind != "time":  # "9:30 PM" is "21:30"
            for text in phrase.german:
                said.setdefault(text, set()).add(re.sub(r"\D", "", phrase.english))
    assert all(len(figures - {""}) <= 1 for figures in said.values())


@pytest.mark.parametrize("phrase", [english for english, _ in dict(PHRASES).items()])
def test_phrases_are_slots_on_both_sides(phrase):
    assert dict(PHRASES)[phrase] == phrase
    assert re.fullmatch(r"\{[a-z_.]+\}( \{things\})?", phrase)


def test_a_draw_is_of_the_held_out_phrases_and_repeats():
    drawn = draw_held_out(5, seed=3)
    assert drawn == draw_held_out(5, seed=3) != draw_held_out(5, seed=4)
    assert len(set(drawn)) == 5
    assert set(drawn) <= set(ASKED)
    assert sorted(draw_held_out(200, seed=0)) == sorted(ASKED)
    with pytest.raises(InputError, match=r"1 to 200 phrases \(--count\). Received: 201"):
        draw_held_out(201, seed=0)


def test_the_split_of_phrases_knows_all_right_translations():
    splits = load_source("cldr", max_train_examples=20, phrase_fraction=0.5).splits
    assert list(splits) == ["train", "validation", "test", "phrases"]
    assert splits["phrases"].source == tuple(phrase.english for phrase in ASKED)
    assert splits["phrases"].right == tuple(phrase.german for phrase in ASKED)
    assert "phrases" not in load_source("cldr", max_train_examples=20).splits
    back = {"source_language": "de", "target_language": "en"}
    assert (
        "phrases"
        not in load_source("cldr", max_train_examples=20, phrase_fraction=0.5, **back).splits
    )

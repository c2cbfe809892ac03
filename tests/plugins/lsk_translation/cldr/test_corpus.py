import collections
import os
import random
import re
import subprocess
import sys

import pytest

from ls_base.errors import InputError
from lsk_translation.cldr import corpus
from lsk_translation.cldr.corpus import cldr_splits, normalized
from lsk_translation.cldr.frames import FRAMES


@pytest.fixture(scope="module")
def splits():
    return cldr_splits(pairs=32_000, seed=0)


def test_sizes(splits):
    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 32_000,
        "validation": 1000,
        "test": 1000,
    }
    for rows in splits.values():
        assert len(set(rows)) == len(rows)


def test_no_held_out_source_or_target_occurs_in_another_split(splits):
    for side in (0, 1):
        texts = {name: {normalized(row[side]) for row in rows} for name, rows in splits.items()}
        assert not texts["train"] & texts["validation"]
        assert not texts["train"] & texts["test"]
        assert not texts["validation"] & texts["test"]


def test_normalized_ignores_case_and_spacing():
    assert normalized(" In  DREI Tagen ") == normalized("in drei tagen")


def test_fewer_pairs_are_the_beginning_of_more_and_leave_the_held_out_sets_alone(splits):
    few = cldr_splits(pairs=500, seed=0)
    assert few["train"] == splits["train"][:500]
    assert few["validation"] == splits["validation"]
    assert few["test"] == splits["test"]


def test_seeds_differ(splits):
    other = cldr_splits(pairs=500, seed=1)
    assert other["train"] != splits["train"][:500]
    assert other["test"] != splits["test"]


def test_text_does_not_depend_on_hash_randomization():
    script = (
        "import hashlib; from lsk_translation.cldr.corpus import cldr_splits; "
        "print(hashlib.sha256(repr(cldr_splits(300)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "KERAS_BACKEND": "jax"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_text_does_not_depend_on_what_was_made_before():
    first = cldr_splits(50, seed=3)
    cldr_splits(50, seed=4)
    assert cldr_splits(50, seed=3) == first


def test_some_sources_have_several_targets_and_one_that_is_likeliest():
    targets = collections.defaultdict(collections.Counter)
    stream = corpus._stream("entropy", 0.0)
    for _ in range(40_000):
        source, target = next(stream)
        targets[source][target] += 1
    often = [counts for counts in targets.values() if counts.total() >= 6]
    assert len(often) > 50
    several = sum(len(counts) > 1 for counts in often) / len(often)
    assert 0.3 < several < 0.95
    likeliest = sum(max(counts.values()) / counts.total() for counts in often) / len(often)
    assert 0.5 < likeliest < 0.95


def test_sources_are_rendered_in_several_ways_too():
    sources = {
        corpus._render(corpus._compile("{number}"), 0, {}, random.Random(i)) for i in range(400)
    }
    assert any(text.isdigit() for text in sources)
    assert any(text.isalpha() or "-" in text for text in sources)


def test_text_is_clean(splits):
    for rows in splits.values():
        for row in rows:
            for text in row:
                assert text == " ".join(text.split())
                assert not re.search(r"[{}\[\]|\xa0\u202f]|\.\.|from from|None", text)
                if text.endswith((".", "?")) and " " in text:
                    assert not text[0].islower()


def test_figures_agree_between_the_languages(splits):
    """Every number of two digits and more that stands in a German amount is in the English."""
    checked = 0
    for source, target in splits["test"]:
        if source.startswith("There are") and (found := re.search(r"\b\d\d+\b", target)):
            words = re.search(r"are ([a-z-]+|\d+) ", source).group(1)
            assert words == found.group() or not words.isdigit()
            checked += 1
    assert checked > 0


@pytest.mark.parametrize("index", range(len(FRAMES)))
def test_frames_use_the_same_slots_and_meanings_on_both_sides(index):
    english, german = FRAMES[index]
    for pattern in (r"\{([a-z_]+2?)", r"\[([a-z]):"):
        used = []
        for frame in (english, german):
            for alternative in frame.split("||"):
                used.append(set(re.findall(pattern, alternative)))
        assert all(names == used[0] for names in used)
    assert english.rstrip()[-1] in ".?!" or german.rstrip()[-1] not in ".?!"


@pytest.mark.parametrize("index", range(len(FRAMES)))
def test_linked_groups_have_equally_many_choices(index):
    for frame in FRAMES[index]:
        for alternative in frame.split("||"):
            sizes = collections.defaultdict(set)
            for link, choices in re.findall(r"\[(\w):([^\]]*)\]", alternative):
                sizes[link].add(choices.count("|"))
            assert all(len(counts) == 1 for counts in sizes.values())


def test_a_letter_chooses_the_same_meaning_in_both_languages():
    english, german = (corpus._compile(f) for f in ("[a:red|green|blue]", "[a:rot|grün|blau]"))
    rng, pairs = random.Random(0), collections.Counter()
    for _ in range(300):
        meanings = {}
        pairs[
            corpus._render(english, 0, meanings, rng), corpus._render(german, 1, meanings, rng)
        ] += 1
    assert set(pairs) == {("red", "rot"), ("green", "grün"), ("blue", "blau")}
    assert min(pairs.values()) > 60


def test_a_digit_chooses_together_within_a_language():
    compiled = corpus._compile("[1:geht|kommt] [1:weg|an]")
    rng = random.Random(0)
    assert {corpus._render(compiled, 1, {}, rng) for _ in range(50)} == {"geht weg", "kommt an"}


def test_the_first_alternative_is_preferred():
    compiled = corpus._compile("a || b || c")
    rng = random.Random(0)
    counts = collections.Counter(corpus._render(compiled, 0, {}, rng) for _ in range(4000))
    assert counts["a"] == pytest.approx(2800, abs=130)
    assert counts["b"] == pytest.approx(840, abs=120)
    assert counts["c"] == pytest.approx(360, abs=120)


def test_unknown_slots_are_refused():
    with pytest.raises(ValueError, match="nonsense"):
        corpus._compile("{nonsense}")


def test_pairs_below_one():
    with pytest.raises(InputError, match=r"at least 1 training pair.*pairs=0"):
        cldr_splits(pairs=0)


def test_more_pairs_than_there_are(monkeypatch):
    def stream(seed, phrase_fraction):
        number = 0
        while True:
            number += 1
            yield (f"{seed} {number % 3000}", f"{number % 3000}" + "!" * ("train" in seed))

    monkeypatch.setattr(corpus, "_stream", stream)
    with pytest.raises(InputError, match=r"at most 3000 training pairs of cldr.*Received: 3001"):
        cldr_splits(pairs=3001)

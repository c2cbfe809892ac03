import importlib.util
from pathlib import Path

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_speech.config import DataConfig
from lsk_speech.corpora import spoken_words
from lsk_speech.corpora.spoken_words import ACCENTS, VARIANTS, WORDS, draw
from lsk_speech.data import load_source

COUNTS = {"test": 300, "validation": 200, "train": 900}


def test_words_and_voices():
    assert len(WORDS) == len(set(WORDS)) > 125
    variants = [variant for split in VARIANTS.values() for variant in split]
    assert len(variants) == len(set(variants))


def test_every_voice_is_one_of_the_library():
    """eSpeak NG speaks an unknown variant without one, and says nothing."""
    (package,) = importlib.util.find_spec("espeakng_loader").submodule_search_locations
    there = {file.name for file in (Path(package) / "espeak-ng-data/voices/!v").iterdir()}
    assert {variant for split in VARIANTS.values() for variant in split} <= there


def test_strings_and_speakers_of_one_split_are_in_no_other():
    splits = draw(COUNTS, 2, 5, seed=0)
    texts = {name: {line.text for line in lines} for name, lines in splits.items()}
    variants = {name: {line.voice.variant for line in lines} for name, lines in splits.items()}
    for first, second in (("train", "test"), ("train", "validation"), ("validation", "test")):
        assert not texts[first] & texts[second]
        assert not variants[first] & variants[second]
    assert {name: len(lines) for name, lines in splits.items()} == COUNTS
    lengths = {len(text.split()) for text in texts["train"]}
    assert lengths == {2, 3, 4, 5}
    assert {line.voice.accent for line in splits["test"]} == set(ACCENTS)


def test_a_speaker_has_one_speed_and_one_pitch():
    speakers = {}
    for line in draw(COUNTS, 2, 5, seed=0)["train"]:
        who = (line.voice.accent, line.voice.variant)
        assert speakers.setdefault(who, line.voice) == line.voice
    speeds = {voice.words_per_minute for voice in speakers.values()}
    assert min(speeds) < 140
    assert max(speeds) > 210


def test_only_training_has_made_voices():
    """The held-out splits measure voices that the library brings, not those of our own ranges."""
    splits = draw(COUNTS, 2, 5, seed=0)
    made = {name: [bool(x.voice.settings) for x in lines] for name, lines in splits.items()}
    assert not any(made["test"] + made["validation"])
    library = len(ACCENTS) * len(VARIANTS["train"])
    assert np.mean(made["train"]) == pytest.approx(1 - library / (library + 1500), abs=0.05)


def test_held_out_strings_do_not_depend_on_how_many_are_for_training():
    few, many = draw({**COUNTS, "train": 9}, 2, 5, seed=0), draw(COUNTS, 2, 5, seed=0)
    assert few["test"] == many["test"]
    assert few["train"] == many["train"][:9]
    assert draw(COUNTS, 2, 5, seed=1)["test"] != many["test"]


def test_the_next_word_is_as_likely_as_any():
    """A string's second word given its first: no more alike than drawn apart."""
    lines = draw({"train": 4000}, 2, 5, seed=3)["train"]
    index = {word: i for i, word in enumerate(WORDS)}
    pairs = np.array([[index[w] for w in line.text.split()[:2]] for line in lines])
    counts = np.bincount(pairs[:, 0] * len(WORDS) + pairs[:, 1], minlength=len(WORDS) ** 2)
    expected = len(lines) / len(WORDS) ** 2
    statistic = ((counts - expected) ** 2 / expected).sum()
    degrees = len(WORDS) ** 2 - 1
    assert abs(statistic - degrees) < 5 * np.sqrt(2 * degrees)


def test_more_strings_than_there_are_is_told():
    with pytest.raises(InputError, match="at most 66 strings of 1 to 1 words. Received: 70"):
        draw({"train": 70}, 1, 1, seed=0)


def test_it_is_spoken_cached_and_said_to_be_synthetic(tmp_path, monkeypatch):
    monkeypatch.setattr(spoken_words, "HELD_OUT", 3)
    options = DataConfig(max_train_examples=6, sample_rate=8000, cache=str(tmp_path))
    source = load_source(options)
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }
    assert source.notes == ("synthetic: random words, spoken by eSpeak NG",)
    train = source.splits["train"]
    assert all(0.2 < n / 8000 < 5 for n in train.rows.lengths)
    words = np.array([len(text.split()) for text in train.texts])
    assert np.corrcoef(words, train.rows.lengths)[0, 1] > 0.5

    def fail(*_):
        raise AssertionError("spoken again")

    monkeypatch.setattr(spoken_words, "speak", fail)
    again = load_source(options)
    np.testing.assert_array_equal(again.splits["train"].rows[2], train.rows[2])
    assert list(again.splits["train"].texts) == list(train.texts)

import pytest

from ls_base.errors import InputError
from lsk_engine.data.splits import (
    SPLIT_NAMES,
    split_from_name,
    split_from_prefix,
    unique_splits,
)


@pytest.mark.parametrize(
    ("split", "word"), [(split, word) for split, words in SPLIT_NAMES.items() for word in words]
)
def test_every_word_names_its_split_alone_and_at_the_beginning(split, word):
    assert split_from_name(word) == split_from_name(word.upper()) == split
    assert split_from_prefix(f"{word}_jpeg.npz") == split_from_prefix(f"{word}.npz") == split


@pytest.mark.parametrize("word", ["values", "device", "valve.npz", "photos", "", "a_test"])
def test_other_words_name_none(word):
    assert split_from_name(word) is None
    assert split_from_prefix(word) is None


def test_two_for_one_split_are_refused():
    with pytest.raises(InputError, match="split validation in here. Received: val and dev"):
        unique_splits([("validation", "val"), ("train", "train"), ("validation", "dev")], "here")

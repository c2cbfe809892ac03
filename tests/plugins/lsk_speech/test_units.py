import numpy as np
import pytest

from ls_base.errors import InputError, LsKerasError
from lsk_speech.units import (
    END_ID,
    PAD_ID,
    START_ID,
    UNKNOWN_ID,
    load_units,
    make_units,
)

TEXTS = ["one two", "two three", "it's three"]


@pytest.mark.parametrize("kind", ["words", "characters", "subwords"])
def test_transcripts_survive_and_so_do_the_units(kind):
    units = make_units(kind, TEXTS, 18)
    again = load_units(units.artifacts)
    assert units.size == len(units.names) == again.size
    assert units.names == again.names
    assert units.names[:4] == ("<pad>", "<start>", "<end>", "<unknown>")
    for text in TEXTS:
        ids = units.encode(text)
        assert ids.dtype == np.int32
        assert ids.min() > UNKNOWN_ID
        assert ids.max() < units.size
        np.testing.assert_array_equal(ids, again.encode(text))
        assert units.decode([START_ID, *ids, END_ID, PAD_ID]) == text


@pytest.mark.parametrize(
    ("kind", "text", "heard"),
    [
        ("words", "one four", "one <unknown>"),
        ("characters", "one tzo", "one t\N{REPLACEMENT CHARACTER}o"),
        ("subwords", "one tzo", "one t\N{REPLACEMENT CHARACTER}o"),
    ],
)
def test_what_training_does_not_have_is_unknown(kind, text, heard):
    units = make_units(kind, TEXTS, 18)
    ids = units.encode(text)
    assert (ids == UNKNOWN_ID).sum() == 1
    assert units.decode(ids) == heard


def test_ids_are_in_the_order_of_the_units():
    assert make_units("words", TEXTS, 0).names[4:] == ("it's", "one", "three", "two")
    assert make_units("characters", TEXTS, 0).names[4:6] == ("▁", "'")


def test_too_few_subwords_are_told():
    with pytest.raises(InputError, match=r"data.vocabulary_size to hold the characters.*: 8"):
        make_units("subwords", TEXTS, 8)


def test_a_run_without_units_is_told():
    with pytest.raises(LsKerasError, match="units.json or subwords.model"):
        load_units({"other": b""})

import io

import jiwer
import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from ls_base.errors import InputError, LsKerasError
from lsk_speech.units import (
    END_ID,
    PAD_ID,
    START_ID,
    UNKNOWN_ID,
    load_units,
    make_units,
    normalize,
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
    with pytest.raises(InputError, match=r"data.vocabulary_size of at least \d+ .*Received: 8"):
        make_units("subwords", TEXTS, 8)


def test_a_run_without_units_is_told():
    with pytest.raises(LsKerasError, match="units.json or subwords.model"):
        load_units({"other": b""})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "Expected a JSON file at units.json"),
        (b'{"kind": "words"}', "units.json.*missing required field units"),
        (b'{"kind": "syllables", "units": []}', "valid kind in units.json. Received: 'syllables'"),
        (b'{"kind": "words", "units": ["a", 1]}', r"units\[1\] in units.json to be str"),
        (
            b'{"kind": "words", "units": ["a", "a"]}',
            "units in units.json that are distinct and not empty",
        ),
        (
            b'{"kind": "words", "units": [""]}',
            "units in units.json that are distinct and not empty",
        ),
        (b'{"kind": "characters", "units": ["ab"]}', "characters in units.json"),
    ],
)
def test_units_that_are_none_are_told(content, message):
    with pytest.raises(InputError, match=message):
        load_units({"units.json": content})


@pytest.mark.parametrize("content", [b"", b"no model", bytes(99)])
def test_subwords_that_are_none_are_told(content):
    with pytest.raises(InputError, match="the bytes of a SentencePiece model. Received: "):
        load_units({"subwords.model": content})


def test_subwords_of_another_task_are_told():
    texts = ["the cat sat", "der Hund saß"] * 9
    with pytest.raises(InputError, match=r"pad_id=0, unk_id=3.* Received: pad_id=0, unk_id=1"):
        load_units({"subwords.model": translations_model(texts)})


def translations_model(texts):
    """A model with the ids of the translation task: 1 unknown, 2 start, 3 end."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=20,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  World!", "hello world"),
        ("don’t 'quote' the dogs'", "don't quote the dogs"),
        ("well-known  3.5 %", "well known 3 5"),
        ("ﬁne Ｗide", "fine wide"),  # NFKC
        ("Straße à Übung", "straße à übung"),
        ("नमस्ते!", "नमस्ते"),  # marks stay
        ("--- …", ""),
    ],
)
def test_what_stays_of_a_transcript(text, expected):
    assert normalize(text) == expected


@given(st.text())
def test_normalizing_again_changes_nothing(text):
    once = normalize(text)
    assert normalize(once) == once
    assert once == " ".join(once.split())


@given(st.text(st.sampled_from("abcXYZ ,.!?")))
def test_plain_english_is_as_jiwer_would_have_it(text):
    standard = jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            jiwer.SubstituteRegexes({r"[,.!?]": " "}),
            jiwer.RemoveMultipleSpaces(),
            jiwer.Strip(),
        ]
    )
    assert normalize(text) == standard(text)

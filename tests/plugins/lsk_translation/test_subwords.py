import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ls_base.errors import InputError
from lsk_translation.cldr.corpus import cldr_splits
from lsk_translation.subwords import END_ID, PAD_ID, START_ID, UNKNOWN_ID, SubwordVocabulary


@pytest.fixture(scope="module")
def text():
    return [side for pair in cldr_splits(3000)["train"] for side in pair]


@pytest.fixture(scope="module")
def vocabulary(text):
    return SubwordVocabulary.train(text, size=1000)


def rows(ids, offsets):
    return np.split(ids, offsets[1:-1])


def test_ids(vocabulary):
    assert vocabulary.size == 1000 == len(vocabulary.pieces)
    assert vocabulary.pieces[:4] == ("<pad>", "<unk>", "<s>", "</s>")
    assert (PAD_ID, UNKNOWN_ID, START_ID, END_ID) == (0, 1, 2, 3)


def test_encode_lays_texts_end_to_end(vocabulary):
    ids, offsets = vocabulary.encode(["in three days", "", "am 4. März"])
    assert ids.dtype == np.int32
    assert offsets.dtype == np.int64
    assert offsets[0] == 0
    assert offsets[1] == offsets[2]
    assert offsets[3] == len(ids)
    alone, _ = vocabulary.encode(["am 4. März"])
    np.testing.assert_array_equal(ids[offsets[2] :], alone)
    assert ids.min() > END_ID


def test_no_texts(vocabulary):
    ids, offsets = vocabulary.encode([])
    assert ids.shape == (0,)
    np.testing.assert_array_equal(offsets, [0])
    assert vocabulary.decode([]) == []


def test_chunks_are_joined(vocabulary, text, monkeypatch):
    whole = vocabulary.encode(text[:50])
    monkeypatch.setattr("lsk_translation.subwords._CHUNK", 7)
    for left, right in zip(vocabulary.encode(text[:50]), whole, strict=True):
        np.testing.assert_array_equal(left, right)


def test_round_trip_of_the_training_text(vocabulary, text):
    assert vocabulary.decode(rows(*vocabulary.encode(text))) == text


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1))
def test_every_character_survives(vocabulary, word):
    if "\u2581" not in word:
        line = f"{word} {word}"
        assert vocabulary.decode(rows(*vocabulary.encode([line]))) == [line]


def test_case_and_compatibility_characters_are_kept(vocabulary):
    line = "ÄÖÜ äöü ½ ﬁ … ＡＢ A\u0308"
    assert vocabulary.decode(rows(*vocabulary.encode([line]))) == [line]


def test_runs_of_spaces_become_one(vocabulary):
    assert vocabulary.decode(rows(*vocabulary.encode(["  in   drei Tagen "]))) == ["in drei Tagen"]


def test_special_ids_are_left_out_of_text(vocabulary):
    ids, _ = vocabulary.encode(["in drei Tagen"])
    framed = np.concatenate([[START_ID], ids, [END_ID, PAD_ID, PAD_ID]])
    assert vocabulary.decode([framed, []]) == ["in drei Tagen", ""]


def test_without_bytes_unseen_characters_are_unknown(text):
    vocabulary = SubwordVocabulary.train(text, size=500, byte_fallback=False)
    ids, _ = vocabulary.encode(["漢"])
    assert UNKNOWN_ID in ids


def test_bytes_round_trip(vocabulary, text):
    again = SubwordVocabulary(vocabulary.to_bytes())
    assert again.pieces == vocabulary.pieces
    np.testing.assert_array_equal(again.encode(text)[0], vocabulary.encode(text)[0])


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_training_is_deterministic(text, model_type):
    first, second = (
        SubwordVocabulary.train(iter(text[:2000]), size=600, model_type=model_type).to_bytes()
        for _ in range(2)
    )
    assert first == second


def test_model_types_differ(text):
    unigram, bpe = (
        SubwordVocabulary.train(text, size=700, model_type=kind) for kind in ("unigram", "bpe")
    )
    assert unigram.size == bpe.size == 700
    assert set(unigram.pieces) != set(bpe.pieces)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_small_texts_give_as_many_as_they_can(model_type):
    vocabulary = SubwordVocabulary.train(
        ["eins zwei drei", "one two three"], size=4000, model_type=model_type
    )
    assert 260 < vocabulary.size < 400
    assert len(vocabulary.pieces) == vocabulary.size


def test_large_texts_are_sampled_evenly(monkeypatch):
    monkeypatch.setattr("lsk_translation.subwords._MAX_LINES", 2)
    lines = ["aaa", "bbb", "ccc", "ddd"]
    vocabulary = SubwordVocabulary.train(lines, size=20, byte_fallback=False)
    letters = "".join(vocabulary.pieces[4:])
    assert "a" in letters
    assert "c" in letters
    assert "b" not in letters
    assert "d" not in letters


def test_size_too_small_for_the_characters():
    with pytest.raises(InputError, match=r"at least 26\d .*256 bytes.*Received: 100"):
        SubwordVocabulary.train(["abc"], size=100)


@pytest.mark.parametrize("lines", [[], ["", " \t"]])
def test_no_text(lines):
    with pytest.raises(InputError, match="Received: no text"):
        SubwordVocabulary.train(lines, size=300)


def test_unknown_model_type(text):
    with pytest.raises(InputError, match=r"'unigram' or 'bpe'. Received: 'word'"):
        SubwordVocabulary.train(text, size=300, model_type="word")


@pytest.mark.parametrize("wrong", [-1, 1000])
def test_ids_outside_the_vocabulary(vocabulary, wrong):
    with pytest.raises(InputError, match=rf"ids in \[0, 1000\). Received: {wrong}"):
        vocabulary.decode([[5, wrong]])


@pytest.mark.parametrize("model", [b"", b"nonsense", bytes(100)], ids=["empty", "text", "zeros"])
def test_bytes_that_are_no_model(model):
    with pytest.raises(InputError, match="bytes of a SentencePiece model"):
        SubwordVocabulary(model)


def test_model_with_other_ids():
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c"]), model_writer=model, vocab_size=7, minloglevel=2
    )
    with pytest.raises(InputError, match=r"pad_id=0, unk_id=1.*Received: pad_id=-1, unk_id=0"):
        SubwordVocabulary(model.getvalue())


@pytest.mark.tensorflow
@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_tensorflow_text_gives_the_same_ids(text, model_type):
    """Up to the order of the same pieces, where the unigram model finds both equally likely."""
    import tensorflow_text

    vocabulary = SubwordVocabulary.train(text, size=1000, model_type=model_type)
    tokenizer = tensorflow_text.SentencepieceTokenizer(model=vocabulary.to_bytes())
    lines = [*text[:2000], "漢字 ½ ÄÖ", ""]
    ragged = tokenizer.tokenize(lines)
    theirs = rows(ragged.flat_values.numpy(), ragged.row_splits.numpy())
    differ = 0
    for left, right in zip(theirs, rows(*vocabulary.encode(lines)), strict=True):
        if not np.array_equal(left, right):
            differ += 1
            assert model_type == "unigram"
            np.testing.assert_array_equal(np.sort(left), np.sort(right))
    assert differ < 10


@pytest.mark.tensorflow
def test_keras_hub_reads_the_model(vocabulary, text):
    import keras_hub

    tokenizer = keras_hub.tokenizers.SentencePieceTokenizer(proto=vocabulary.to_bytes())
    assert tokenizer.vocabulary_size() == vocabulary.size
    ids, offsets = vocabulary.encode(text[:20])
    for line, row in zip(text[:20], rows(ids, offsets), strict=True):
        np.testing.assert_array_equal(np.asarray(tokenizer(line)), row)


def test_a_model_with_text_that_is_none_is_told():
    """SentencePiece says so by a UnicodeDecodeError, of its own message or of a piece."""
    model = bytearray(SubwordVocabulary.train(["the cat sat"] * 9, size=290).to_bytes())
    at = bytes(model).rindex(b"<0x41>")
    model[at] = 0xFF
    with pytest.raises(InputError, match="the bytes of a SentencePiece model"):
        SubwordVocabulary(bytes(model))

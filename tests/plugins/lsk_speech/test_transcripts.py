import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsk_speech.transcripts import normalize


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

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ls_base.errors import InputError
from lsk_speech.scoring import score

WORD = st.sampled_from(["a", "b", "cd", "e"])
REFERENCE = st.lists(WORD, min_size=1, max_size=6).map(" ".join)
HYPOTHESIS = st.lists(WORD, max_size=6).map(" ".join)


def test_by_hand():
    """Of 6 words: "two" became "too", "three" is gone, "five" came in."""
    found = score(["one two three", "four", "six seven"], ["one too", "four five", "six seven"])
    assert found.values == pytest.approx(
        {
            "wer": 100 * 3 / 6,
            "substitutions": 100 / 6,
            "insertions": 100 / 6,
            "deletions": 100 / 6,
            # "w" became "o", " three" is 6 characters, " five" is 5; 13 + 4 + 9 in all
            "cer": 100 * (1 + 6 + 5) / 26,
            "ser": 100 * 2 / 3,
            "length_ratio": 6 / 6,
        }
    )
    assert next(iter(found.values)) == "wer"


@given(st.lists(st.tuples(REFERENCE, HYPOTHESIS), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_rates_are_jiwers(pairs):
    references, hypotheses = (list(side) for side in zip(*pairs, strict=True))
    values = score(references, hypotheses).values
    assert values["wer"] == pytest.approx(100 * jiwer.wer(references, hypotheses))
    assert values["cer"] == pytest.approx(100 * jiwer.cer(references, hypotheses))
    parts = values["substitutions"] + values["insertions"] + values["deletions"]
    assert parts == pytest.approx(values["wer"])


def test_the_interval_is_that_of_resampled_rates():
    """Against a loop that scores each resampling by jiwer."""
    rng = np.random.default_rng(5)
    references = [" ".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(40)]
    hypotheses = [r if rng.random() < 0.6 else "a b" for r in references]
    low, high = score(references, hypotheses).intervals["wer"]
    rates = []
    for _ in range(400):
        rows = rng.integers(40, size=40)
        rates.append(100 * jiwer.wer([references[i] for i in rows], [hypotheses[i] for i in rows]))
    assert low == pytest.approx(np.percentile(rates, 2.5), abs=4)
    assert high == pytest.approx(np.percentile(rates, 97.5), abs=4)


def test_perfect_and_empty():
    perfect = score(["one two"], ["one two"])
    assert {perfect.values[name] for name in perfect.better} == {0.0}
    assert perfect.values["length_ratio"] == 1
    assert score(["one two"], [""]).values["deletions"] == 100


def test_different_numbers_are_told():
    with pytest.raises(InputError, match="Received: 1 and 2"):
        score(["a", "b"], ["a"])


def test_the_length_ratio_is_of_words_and_neither_more_nor_less_is_better():
    found = score(["one two three", "four"], ["one too", ""])
    assert found.values["length_ratio"] == 2 / 4
    assert found.labels["length_ratio"] == "length / reference"
    assert set(found.values) - set(found.better) == {"length_ratio"}

import pytest
import sacrebleu

from ls_base.errors import InputError
from lsk_translation.scoring import score

REFERENCES = ["Am 3. Mai regnet es .", "Drei Hunde und ein Vogel .", "Nein ."]
HYPOTHESES = ["Am 3. Mai regnet es .", "drei Hunde und der Vogel .", "Nein ."]


def test_values_are_those_of_sacrebleu():
    found = score(REFERENCES, HYPOTHESES)
    assert found.values["bleu"] == pytest.approx(
        sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    )
    assert found.values["bleu_uncased"] == pytest.approx(
        sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES], lowercase=True).score
    )
    assert found.values["chrf"] == pytest.approx(
        sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    )
    assert found.values["bleu_uncased"] > found.values["bleu"]
    assert next(iter(found.values)) == "bleu"
    assert "tok:13a" in found.signatures["bleu"]


def test_no_interval_goes_beyond_what_a_score_can_be():
    found = score(REFERENCES, HYPOTHESES)
    bleu = sacrebleu.BLEU(lowercase=True)
    told = bleu.corpus_score(HYPOTHESES, [REFERENCES], n_bootstrap=1000)
    assert told._mean + told._ci > 100  # sacrebleu's
    low, high = found.intervals["bleu_uncased"]
    assert (low, high) == (pytest.approx(told._mean - told._ci), 100.0)


def test_several_references_are_known_of_a_sentence():
    """A sentence may have more than another; BLEU is that of sacrebleu's own streams."""
    references = [("am 3. Mai", "am dritten Mai"), ("drei Hunde",), ("20 %", "20 Prozent", "20%")]
    hypotheses = ["am dritten Mai", "drei Hunde", "20 von 100"]
    found = score(references, hypotheses)
    assert found.values["right"] == pytest.approx(200 / 3)
    assert found.labels["right"] == "right (%)"
    low, high = found.intervals["right"]
    assert (low, high) == (pytest.approx(9.43, abs=0.01), pytest.approx(99.16, abs=0.01))
    streams = [
        ["am 3. Mai", "drei Hunde", "20 %"],
        ["am dritten Mai", None, "20 Prozent"],
        [None, None, "20%"],
    ]
    assert found.values["bleu"] == pytest.approx(sacrebleu.corpus_bleu(hypotheses, streams).score)
    assert "nrefs:var" in found.signatures["bleu"]
    assert score([(r,) for r in REFERENCES], HYPOTHESES) == score(REFERENCES, HYPOTHESES)


def test_a_perfect_translation_scores_100():
    assert score(REFERENCES, REFERENCES).values["bleu"] == pytest.approx(100)


@pytest.mark.parametrize("hypotheses", [[], ["one"]])
def test_unequal_or_no_text_is_told(hypotheses):
    with pytest.raises(InputError, match="as many hypotheses as references"):
        score(REFERENCES[: len(hypotheses) and 3], hypotheses)


def test_the_length_ratio_is_of_13a_tokens_and_neither_more_nor_less_is_better():
    """By hand: "Hund," is two tokens; of several references the nearest length counts."""
    found = score(["Ein Hund, ein Vogel.", "Nein ."], ["Ein Hund und ein Vogel", "Nein ."])
    assert found.values["length_ratio"] == pytest.approx((5 + 2) / (6 + 2))
    assert found.labels["length_ratio"] == "length / reference"
    assert "length_ratio" not in found.better
    several = score([("a b c d e f", "a b c d"), ("a b",)], ["a b c", "a b"])
    assert several.values["length_ratio"] == pytest.approx((3 + 2) / (4 + 2))
    streams = [["a b c d e f", "a b"], ["a b c d", None]]
    peer = sacrebleu.corpus_bleu(["a b c", "a b"], streams)
    assert several.values["length_ratio"] == pytest.approx(peer.sys_len / peer.ref_len)
    assert score(["a b"], [""]).values["length_ratio"] == 0

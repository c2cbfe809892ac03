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
    assert "tok:13a" in found.signatures["bleu"]


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

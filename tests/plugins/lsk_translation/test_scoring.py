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


def test_a_perfect_translation_scores_100():
    assert score(REFERENCES, REFERENCES).values["bleu"] == pytest.approx(100)


@pytest.mark.parametrize("hypotheses", [[], ["one"]])
def test_unequal_or_no_text_is_told(hypotheses):
    with pytest.raises(InputError, match="as many hypotheses as references"):
        score(REFERENCES[: len(hypotheses) and 3], hypotheses)

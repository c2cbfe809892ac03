import numpy as np
import pytest

from diagnosed import predictions
from ls_keras.calibration import logit_norm_confidence, risk_coverage
from ls_keras.calibration.scaling.recalibration import example_scores, log_softmax
from ls_keras.diagnosis import ranking
from ls_keras.diagnosis.temperature import fold_ids
from ls_keras.inputs.numpy_examples import read_host_examples


def test_norm_is_chosen_on_a_sample(monkeypatch):
    y, z = predictions(400)
    examples = read_host_examples(y, z, from_logits=True)
    scores = example_scores(examples, log_softmax)
    monkeypatch.setattr(ranking, "_SAMPLE", 100)
    p, curve, _, _ = ranking.normalized_ranking(examples, scores, fold_ids(np.arange(400), 5, 0))
    some = slice(None, None, 4)
    assert p == min(
        ranking.NORMS,
        key=lambda p: risk_coverage(scores.correct[some], logit_norm_confidence(z[some], p)).aurc,
    )
    assert curve.risk.shape == (400,)


def test_normalization_gain_is_detected():
    """Logits times a scale that says nothing: it misleads the softmax, the norm takes it out."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 3000)
    noise = rng.uniform(0.1, 2, (3000, 1))
    z = (np.eye(10)[y] + noise * rng.normal(size=(3000, 10))) * rng.uniform(0.2, 9, (3000, 1))
    examples = read_host_examples(y, z, from_logits=True)
    scores = example_scores(examples, log_softmax)
    ids = fold_ids(np.arange(3000), 5, 0)
    _, _, gain, influence = ranking.normalized_ranking(examples, scores, ids)
    assert gain > 0.02
    assert influence.mean() == pytest.approx(0, abs=1e-12)
    assert 4 * influence.std() / np.sqrt(3000) < gain

"""Against scikit-learn's ROC curve, and SciPy."""

import dataclasses

import numpy as np
import pytest
from keras import ops
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score, roc_curve

from ls_base.errors import InputError
from ls_keras.calibration import detection_score, ood_detection

SCORES = {
    "max_softmax": lambda z, t: softmax(z / t, -1).max(-1),
    "max_logit": lambda z, t: z.max(-1),
    "energy": lambda z, t: t * logsumexp(z / t, axis=-1),
}


def sample(rng, own=400, foreign=300, digits=None):
    z = rng.normal(size=(own, 6)) * 2 + 3 * np.eye(6)[rng.integers(0, 6, own)]
    other = rng.normal(size=(foreign, 6)) * 1.5
    return (z, other) if digits is None else (z.round(digits), other.round(digits))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 10.0])
def test_scores_equal_scipy(rng, score, temperature):
    z = sample(rng)[0].reshape(20, 20, 6)
    found = detection_score(z, score, temperature=temperature)
    np.testing.assert_allclose(found, SCORES[score](z, temperature), rtol=1e-12)
    tensor = ops.convert_to_tensor(z.astype(np.float32))
    of_tensor = detection_score(tensor, score, temperature=temperature)
    np.testing.assert_allclose(of_tensor, found, rtol=1e-5)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("recall", [0.5, 0.95, 1.0])
def test_rates_equal_scikit_learn(rng, score, digits, recall):
    own, foreign = sample(rng, digits=digits)
    found = getattr(ood_detection(own, foreign, recall=recall), score)
    # In float64 as ours are: ties of a formula written otherwise may be apart by a rounding.
    scores = np.concatenate([detection_score(z, score) for z in (own, foreign)])
    is_own = np.arange(len(scores)) < len(own)
    fpr, tpr, thresholds = roc_curve(is_own, scores, drop_intermediate=False)
    at = np.argmax(tpr >= recall)
    assert found.auroc == pytest.approx(roc_auc_score(is_own, scores), abs=1e-12)
    assert (found.fpr, found.threshold) == (fpr[at], thresholds[at])
    assert found.recall == recall


def test_values_computed_by_hand():
    """Of the largest logits 3, 2, 1 against 2, 0: five of six pairs, one a tie."""
    own, foreign = [[3.0, 0], [0, 2.0], [1.0, 0]], [[2.0, 2], [-1, 0.0]]
    found = ood_detection(own, foreign, recall=0.6)
    assert found.max_logit == dataclasses.replace(
        found.max_logit, auroc=(2 + 1.5 + 1) / 6, fpr=0.5, threshold=2.0
    )
    assert (found.num_in, found.num_out) == (3, 2)


def test_detection_does_not_depend_on_order_and_shape(rng):
    own, foreign = sample(rng)
    found = ood_detection(own, foreign)
    assert ood_detection(rng.permutation(own), rng.permutation(foreign)) == found
    assert ood_detection(own.reshape(20, 20, 6), foreign.reshape(3, 100, 6)) == found
    assert ood_detection(foreign, own).energy.auroc == pytest.approx(1 - found.energy.auroc)


def test_forbidden_classes_do_not_change_scores(rng):
    z = sample(rng)[0]
    wide = np.concatenate([z, np.full((400, 2), -np.inf)], -1)
    for score in SCORES:
        np.testing.assert_allclose(detection_score(wide, score), detection_score(z, score))
    assert detection_score([[1e3, -1e3]], temperature=1e-300) == [1e3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ood_detection([], [[1.0, 2.0]]), "at least one input"),
        (lambda: ood_detection([[1.0, 2.0]], [[1.0]]), "2 and 1 classes"),
        (lambda: ood_detection([[1.0, np.nan]], [[1.0, 2.0]]), "Expected logits .*NaN"),
        (lambda: ood_detection([[1.0, 2.0]], [[1.0, np.inf]]), "Expected ood_logits"),
        (lambda: ood_detection([[1.0]], [[1.0]], recall=0), "recall"),
        (lambda: detection_score([[1.0]], "msp"), "score to be one of max_softmax"),
        (lambda: detection_score([[1.0]], temperature=0), "temperature"),
        (lambda: detection_score([[-np.inf]]), "a finite logit in each"),
    ],
)
def test_wrong_arguments_raise_input_errors(call, message):
    with pytest.raises(InputError, match=message):
        call()

"""Against brute force over all orders, and scikit-learn."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.metrics import roc_auc_score

from ls_base.errors import InputError
from ls_keras.calibration import confidence_auroc, logit_norm_confidence, risk_coverage
from ls_keras.calibration.ranking.risk_coverage import aurc_influence

EXAMPLES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=5
)


def risks_of_an_order(correct):
    return [1 - np.mean(correct[: i + 1]) for i in range(len(correct))]


@settings(deadline=None)
@given(EXAMPLES)
def test_risk_is_mean_over_orders_of_ties(examples):
    correct, confidence = map(list, zip(*examples, strict=True))
    orders = [
        [right for right, _ in order]
        for order in itertools.permutations(examples)
        if all(a[1] >= b[1] for a, b in itertools.pairwise(order))
    ]
    expected = np.mean([risks_of_an_order(order) for order in orders], axis=0)
    curve = risk_coverage(correct, confidence)
    np.testing.assert_allclose(curve.risk, expected, atol=1e-12)
    assert curve.aurc == pytest.approx(expected.mean())
    best = risks_of_an_order(sorted(correct, reverse=True))
    assert curve.excess == pytest.approx(expected.mean() - np.mean(best))
    assert curve.coverage[-1] == 1


def test_values_computed_by_hand():
    """Errors of rank 2 and 4: risks 0, 1/2, 1/3, 2/4; at best 0, 0, 1/3, 1/2."""
    curve = risk_coverage([True, False, True, False], [4, 3, 2, 1])
    assert curve.aurc == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.excess == pytest.approx(1 / 8)
    assert [curve.risk_at(c) for c in (0.25, 0.26, 0.5, 1)] == [0, 0.5, 0.5, 0.5]
    assert risk_coverage([1] * 3 + [0] * 7, range(10, 0, -1)).risk_at(0.3) == 0


def test_weighted_risk_and_coverage_are_shares_of_weight(rng):
    correct, confidence, weights = rng.random(50) < 0.7, rng.random(50), rng.uniform(0.1, 3, 50)
    order = np.argsort(-confidence)
    kept = np.cumsum(weights[order])
    risk = np.cumsum((weights * ~correct)[order]) / kept
    curve = risk_coverage(correct, confidence, sample_weight=weights)
    np.testing.assert_allclose(curve.risk, risk, atol=1e-12)
    np.testing.assert_allclose(curve.coverage, kept / weights.sum())
    assert curve.aurc == pytest.approx(np.average(risk, weights=weights[order]))
    half = risk[np.flatnonzero(kept >= 0.5 * weights.sum())[0]]
    assert curve.risk_at(0.5) == pytest.approx(half)
    assert (curve.best <= curve.risk + 1e-12).all()
    assert curve.best[-1] == pytest.approx(curve.risk[-1])


@settings(deadline=None)
@given(EXAMPLES, st.sampled_from([0.25, 1, 3]))
def test_equal_weights_and_order_of_ties_change_nothing(examples, weight):
    correct, confidence = map(np.array, zip(*examples, strict=True))
    expected = risk_coverage(correct, confidence)
    for at in (slice(None), slice(None, None, -1)):
        found = risk_coverage(
            correct[at], confidence[at], sample_weight=np.full(len(correct), weight)
        )
        for name in ("risk", "coverage", "best", "aurc", "excess"):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-12)


@pytest.mark.parametrize("levels", [5, 10**9])
def test_auroc_equals_scikit_learn(levels):
    rng = np.random.default_rng(0)
    confidence = rng.integers(0, levels, 500) / levels
    correct = rng.random(500) < confidence
    found = confidence_auroc(correct, confidence)
    assert found == pytest.approx(roc_auc_score(correct, confidence), abs=1e-12)
    assert confidence_auroc(correct, -confidence) == pytest.approx(1 - found)


def test_auroc_without_errors_is_nan():
    assert np.isnan(confidence_auroc([1, 1], [0.1, 0.2]))
    assert np.isnan(confidence_auroc([0, 0], [0.1, 0.2]))
    assert risk_coverage([0, 0], [0.1, 0.2]).excess == 0


def test_rounding_errors_do_not_rank():
    """With p = 1, one logit alone above the mean gives exactly 1/2."""
    z = np.random.default_rng(0).normal(size=(1000, 3))
    alone = (z > z.mean(-1, keepdims=True)).sum(-1) == 1
    assert set(logit_norm_confidence(z, 1)[alone]) == {0.5}


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_logit_normalization_equals_formula(p):
    z = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float32)
    centered = z.astype(np.float64) - z.astype(np.float64).mean(-1, keepdims=True)
    norm = (np.abs(centered) ** p).sum(-1) ** (1 / p)
    found = logit_norm_confidence(z, p)
    np.testing.assert_allclose(found, centered.max(-1) / norm, rtol=0, atol=5.001e-13)  # 12 digits
    # What is added to all logits, and their scale, say nothing.
    np.testing.assert_allclose(logit_norm_confidence(5 * z + 1, p), found, rtol=1e-5)
    large = logit_norm_confidence(1e200 * z.astype(np.float64), p)
    np.testing.assert_allclose(large, found, rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: risk_coverage([1, 0], [0.5]), r"one shape \(n,\).*\(2,\) and \(1,\)"),
        (lambda: risk_coverage([], []), "n ≥ 1"),
        (lambda: risk_coverage([1], [0.5], sample_weight=[1, 2]), r"shape \(1,\).*\(2,\)"),
        (lambda: risk_coverage([1], [0.5], sample_weight=[0]), "above 0.*other values"),
        (lambda: confidence_auroc([2, 0], [0.5, 0.1]), "to be 0 or 1"),
        (lambda: confidence_auroc([1, 0], [0.5, np.nan]), "confidence to be finite"),
        (lambda: logit_norm_confidence([[1.0, np.inf]], 2), "finite logits"),
        (lambda: risk_coverage([1], [0.5]).risk_at(0), "above 0 and of at most 1"),
        (lambda: logit_norm_confidence([[1.0, 2.0]], 0.5), "p to be a finite number of at least 1"),
    ],
)
def test_wrong_arguments_raise_input_errors(call, message):
    with pytest.raises(InputError, match=message):
        call()


def limit(correct, confidence, weights):
    """Returns the AURC of so much weight at each confidence, by quadrature of risk."""
    area, before, errors = 0.0, 0.0, 0.0
    for value in np.unique(confidence)[::-1]:
        here = confidence == value
        size, wrong = weights[here].sum(), weights[here & ~correct].sum()
        area += quad(
            lambda x, e=errors, b=before, r=wrong / size: (e + (x - b) * r) / x,
            before,
            before + size,
            epsabs=1e-12,
        )[0]
        before, errors = before + size, errors + wrong
    return area / weights.sum()


@pytest.mark.parametrize("weighted", [False, True])
def test_aurc_influence_equals_derivative_by_weight(rng, weighted):
    correct = rng.random(12) < 0.6
    confidence = rng.integers(0, 6, 12) / 6
    weights = rng.uniform(0.5, 2, 12) if weighted else np.ones(12)
    found = aurc_influence(correct, confidence, sample_weight=weights if weighted else None)
    assert weights @ found == pytest.approx(0, abs=1e-12)
    for i in range(12):
        more, less = (weights + sign * 1e-4 * np.eye(12)[i] for sign in (1, -1))
        slope = (limit(correct, confidence, more) - limit(correct, confidence, less)) / 2e-4
        assert found[i] == pytest.approx(slope * weights.sum(), abs=1e-5)


def test_aurc_influence_has_spread_of_resampled_aurc(rng):
    confidence = rng.beta(4, 1, 2000)
    correct = rng.random(2000) < confidence
    drawn = rng.integers(0, 2000, (400, 2000))
    areas = [risk_coverage(correct[at], confidence[at]).aurc for at in drawn]
    influence = aurc_influence(correct, confidence)
    means = influence[drawn].mean(1)
    assert np.corrcoef(areas, means)[0, 1] > 0.98
    assert influence.std() / np.sqrt(2000) == pytest.approx(np.std(areas), rel=0.1)

"""Against the definition without mesh, integrated by Gauss–Legendre, and relplot."""

import numpy as np
import pytest
from keras import ops
from scipy.stats import norm

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import ReliabilityAccumulator, smooth_error_of_statistics

QUICK = {"resamples": 0}
SHAPES = {
    "calibrated": (4, 1, 0.0),
    "overconfident": (4, 1, 0.1),
    "sure": (20, 0.5, 0.03),
    "far off": (3, 1, 0.35),
    "underconfident": (2, 2, -0.1),
}


def sample(rng, shape, number=500):
    a, b, gap = SHAPES[shape]
    confidence = rng.beta(a, b, number).astype(np.float32)
    return confidence, rng.random(number) < np.clip(confidence - gap, 0, 1)


def by_definition(confidence, correct, sigma, weights=None):
    """∫|r| by Gauss–Legendre between 400 knots, of Gaussians and their mirror images."""
    p, weights = confidence.astype(float), np.ones(len(correct)) if weights is None else weights
    x, part = np.polynomial.legendre.leggauss(4)
    edges = np.linspace(0, 1, 401)
    width = np.diff(edges)[:, None] / 2
    t = ((edges[:-1, None] + edges[1:, None]) / 2 + width * x).ravel()
    gaps = weights * (correct - p) / weights.sum()
    residual = sum(
        norm.pdf(t[:, None], sign * p + 2 * k, sigma) @ gaps
        for k in range(-3, 4)
        for sign in (1, -1)
    )
    return float(np.abs(residual) @ (width * part).ravel())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.7])
def test_error_at_a_bandwidth_equals_its_definition(rng, shape, sigma):
    examples = sample(rng, shape)
    found = smooth_error_of_statistics(*examples, bandwidth=sigma, **QUICK)
    assert found.error == pytest.approx(by_definition(*examples, sigma), abs=2e-6)
    assert found.bandwidth == sigma


@pytest.mark.parametrize("shape", SHAPES)
def test_bandwidth_equals_error(rng, shape):
    examples = sample(rng, shape, 300)
    weights = rng.random(300)
    found = smooth_error_of_statistics(*examples, sample_weight=weights, **QUICK)
    # smECE_σ falls with σ, so that the solution is no farther off than this.
    assert by_definition(*examples, found.error, weights) == pytest.approx(found.error, abs=2e-6)
    assert found.bandwidth == pytest.approx(found.error, abs=1e-8)


@pytest.mark.peers
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [30, 500, 20_000])
def test_equals_relplot(rng, shape, number):
    relplot = pytest.importorskip("relplot")
    confidence, correct = sample(rng, shape, number)
    arrays = confidence.astype(float), correct.astype(float)
    expected = relplot.smECE(*arrays)
    fine = smooth_error_of_statistics(confidence, correct, **QUICK)
    assert fine.error == pytest.approx(expected, abs=1e-3)


def test_values_computed_by_hand():
    """Of one confidence, the kernel is a density, whatever its width: the gap is the error."""
    found = smooth_error_of_statistics([0.8] * 4, [1, 0, 1, 0], **QUICK)
    assert found.error == pytest.approx(0.3, abs=1e-6)
    assert (found.examples, found.groups) == (4, 4)
    assert found.underconfidence == pytest.approx(0, abs=1e-9)
    wrong = smooth_error_of_statistics([1.0], [0], **QUICK)
    assert wrong.error == wrong.bandwidth == pytest.approx(1, abs=1e-6)
    assert smooth_error_of_statistics([1.0, 0.0], [1, 0], **QUICK).error == 0


def test_signed_parts_add_up(rng):
    confidence, correct = sample(rng, "overconfident", 2000)
    found = smooth_error_of_statistics(confidence, correct, **QUICK)
    assert found.overconfidence + found.underconfidence == pytest.approx(found.error, abs=1e-12)
    difference = found.overconfidence - found.underconfidence
    assert difference == pytest.approx(np.mean(confidence.astype(float) - correct), abs=1e-9)
    assert found.overconfidence > 10 * found.underconfidence


def test_error_does_not_depend_on_order_and_equals_repeated_examples(rng):
    confidence, correct = sample(rng, "sure", 400)
    once = smooth_error_of_statistics(confidence, correct, **QUICK)
    order = rng.permutation(400)
    shuffled = smooth_error_of_statistics(confidence[order], correct[order], **QUICK)
    assert shuffled.error == pytest.approx(once.error, abs=1e-10)
    weights = rng.integers(0, 3, 400)
    weighted = smooth_error_of_statistics(confidence, correct, sample_weight=weights, **QUICK)
    repeated = smooth_error_of_statistics(
        confidence.repeat(weights), correct.repeat(weights), **QUICK
    )
    assert weighted.error == pytest.approx(repeated.error, abs=1e-10)
    assert weighted.examples == np.count_nonzero(weights)


def test_tensors_logits_ignored_classes_and_batches(rng):
    logits = rng.normal(size=(40, 6, 5)).astype(np.float32)
    y_true = rng.integers(-1, 5, (40, 6))
    found = ls_keras.smooth_calibration_error(
        ops.convert_to_tensor(y_true),
        ops.convert_to_tensor(logits),
        from_logits=True,
        ignore_class=-1,
        resamples=100,
    )
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    counts = y_true >= 0
    correct = (p.argmax(-1) == y_true)[counts]
    expected = smooth_error_of_statistics(p.max(-1)[counts], correct, **QUICK)
    assert found.error == pytest.approx(expected.error, abs=1e-6)
    assert (found.examples, found.groups) == (counts.sum(), 40)  # sentences
    accumulator = ReliabilityAccumulator(ignore_class=-1)
    for rows in np.split(np.arange(40), 4):
        accumulator.update(y_true[rows], p[rows])
    assert smooth_error_of_statistics(**accumulator.statistics(), **QUICK).error == pytest.approx(
        found.error, abs=1e-6
    )


def test_interval_of_calibrated_predictions_contains_zero(rng):
    reached, corrected = 0, 0.0
    for seed in range(20):
        found = smooth_error_of_statistics(*sample(rng, "calibrated"), seed=seed, resamples=200)
        assert found.error > 0.01
        corrected += found.corrected / found.error / 20
        reached += found.low < 1e-6
    assert reached >= 17
    assert corrected < 0.5


def test_single_group_and_no_resamples_have_no_interval():
    found = smooth_error_of_statistics([0.9, 0.8], [1, 0], groups=[5, 5])
    assert np.isnan([found.low, found.high]).all()
    assert found.corrected == pytest.approx(found.error, abs=1e-9)
    none = smooth_error_of_statistics([0.9, 0.8], [1, 0], resamples=0)
    assert np.isnan([none.low, none.high, none.corrected]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bandwidth": 0}, "bandwidth to be a finite number of at least"),
        ({"bandwidth": 1.5}, "of at most 1"),
        ({"resamples": 50}, "resamples to be an integer ≥ 100"),
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"sample_weight": [0, 0]}, "at least one example"),
        ({"groups": [0.5, 1]}, "groups to be integers"),
    ],
)
def test_wrong_arguments_raise_input_errors(options, message):
    with pytest.raises(InputError, match=message):
        smooth_error_of_statistics([0.9, 0.8], [1, 0], **options)

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
def test_a_bandwidth_s_error_is_the_definition_s(rng, shape, sigma):
    examples = sample(rng, shape)
    found = smooth_error_of_statistics(*examples, bandwidth=sigma, **QUICK)
    assert found.error == pytest.approx(by_definition(*examples, sigma), abs=2e-6)
    assert found.bandwidth == sigma


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bandwidth_is_the_error_itself(rng, shape):
    examples = sample(rng, shape, 300)
    weights = rng.random(300)
    found = smooth_error_of_statistics(*examples, sample_weight=weights, **QUICK)
    # smECE_σ falls with σ, so that the solution is no farther off than this.
    assert by_definition(*examples, found.error, weights) == pytest.approx(found.error, abs=2e-6)
    assert found.bandwidth == pytest.approx(found.error, abs=1e-8)


def test_the_bound_of_the_mesh_holds(rng):
    """Examples midway between two nodes, where spreading them is worst."""
    number, h = 50, 2.0**-15
    confidence = ((rng.integers(2**14, 2**15 - 1, number) + 0.5) * h).astype(np.float32)
    correct = rng.random(number) < 0.5
    for cells in (4, 8):
        sigma = cells * h
        found = smooth_error_of_statistics(confidence, correct, bandwidth=sigma, **QUICK).error
        t = np.linspace(0, 1, 2**18 + 1)
        gaps = (correct - confidence.astype(float)) / number
        near = [slice(*np.searchsorted(t, (c - 9 * sigma, c + 9 * sigma))) for c in confidence]
        residual = np.zeros_like(t)
        for at, c, gap in zip(near, confidence.astype(float), gaps, strict=True):
            residual[at] += gap * norm.pdf(t[at], c, sigma)
        expected = np.trapezoid(np.abs(residual), t)
        assert abs(found - expected) <= 0.13 / cells**2 * np.abs(gaps).sum()


@pytest.mark.peers
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [30, 500, 20_000])
def test_it_is_relplot_s(rng, shape, number):
    relplot = pytest.importorskip("relplot")
    confidence, correct = sample(rng, shape, number)
    arrays = confidence.astype(float), correct.astype(float)
    expected, bandwidth = relplot.smECE(*arrays, return_width=True)
    fine = smooth_error_of_statistics(confidence, correct, **QUICK)
    assert fine.error == pytest.approx(expected, abs=1e-3)
    copied = smooth_error_of_statistics(confidence, correct, mesh="relplot", **QUICK)
    assert copied.error == pytest.approx(expected, abs=1e-9)
    assert copied.bandwidth == bandwidth
    given = smooth_error_of_statistics(confidence, correct, mesh="relplot", bandwidth=0.05, **QUICK)
    assert given.error == pytest.approx(relplot.smECE_sigma(*arrays, 0.05), abs=1e-9)


def test_the_copied_mesh_is_near_the_definition_and_knows_weights(rng):
    confidence, correct = sample(rng, "overconfident")
    fine = smooth_error_of_statistics(confidence, correct, **QUICK)
    copied = smooth_error_of_statistics(confidence, correct, mesh="relplot", **QUICK)
    assert copied.error == pytest.approx(fine.error, abs=1e-3)
    weights = rng.integers(1, 4, len(correct))
    weighted = smooth_error_of_statistics(
        confidence, correct, sample_weight=weights, mesh="relplot", **QUICK
    )
    repeated = smooth_error_of_statistics(
        confidence.repeat(weights), correct.repeat(weights), mesh="relplot", **QUICK
    )
    assert weighted.error == pytest.approx(repeated.error, abs=1e-6)


def test_by_hand():
    """Of one confidence, the kernel is a density, whatever its width: the gap is the error."""
    found = smooth_error_of_statistics([0.8] * 4, [1, 0, 1, 0], **QUICK)
    assert found.error == pytest.approx(0.3, abs=1e-6)
    assert (found.examples, found.groups) == (4, 4)
    assert found.underconfidence == pytest.approx(0, abs=1e-9)
    wrong = smooth_error_of_statistics([1.0], [0], **QUICK)
    assert wrong.error == wrong.bandwidth == pytest.approx(1, abs=1e-6)
    assert smooth_error_of_statistics([1.0, 0.0], [1, 0], **QUICK).error == 0


def test_the_sign(rng):
    confidence, correct = sample(rng, "overconfident", 2000)
    found = smooth_error_of_statistics(confidence, correct, **QUICK)
    assert found.overconfidence + found.underconfidence == pytest.approx(found.error, abs=1e-12)
    difference = found.overconfidence - found.underconfidence
    assert difference == pytest.approx(np.mean(confidence.astype(float) - correct), abs=1e-9)
    assert found.overconfidence > 10 * found.underconfidence


def test_batches_order_and_weights_change_nothing(rng):
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


@pytest.mark.slow
def test_the_interval_covers_the_truth_about_as_often_as_it_says(rng):
    covered = {}
    for shape in ("overconfident", "sure"):
        large = sample(rng, shape, 100_000)  # a tenth of the error of 1,000
        covered[shape] = 0
        for seed in range(40):
            found = smooth_error_of_statistics(*sample(rng, shape, 1000), seed=seed, resamples=200)
            truth = smooth_error_of_statistics(*large, bandwidth=found.bandwidth, resamples=0).error
            covered[shape] += found.low <= truth <= found.high
    assert min(covered.values()) >= 33, covered  # of 40 at 95 %: fewer in one run of a thousand


def test_noise_alone_leaves_zero_in_the_interval(rng):
    reached, corrected = 0, 0.0
    for seed in range(20):
        found = smooth_error_of_statistics(*sample(rng, "calibrated"), seed=seed, resamples=200)
        assert found.error > 0.01
        corrected += found.corrected / found.error / 20
        reached += found.low < 1e-6
    assert reached >= 17
    assert corrected < 0.5


def test_the_interval_of_one_group_is_none():
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
        ({"mesh": "coarse"}, "one of fine, relplot"),
        ({"resamples": 50}, "resamples to be an integer ≥ 100"),
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"sample_weight": [0, 0]}, "at least one example"),
        ({"groups": [0.5, 1]}, "groups to be integers"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        smooth_error_of_statistics([0.9, 0.8], [1, 0], **options)

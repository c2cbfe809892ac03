"""One table of properties of smoothing's neighbors: limits, bounds, what is refused."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from gradient import gradient
from loss_tester import log_softmax
from ls_base.errors import InputError
from ls_keras.losses import (
    ConfidencePenalty,
    FocalCE,
    MarginSmoothing,
    MaxSup,
    NegativeSmoothing,
    SmoothedCE,
)
from ls_keras.losses.margin_smoothing import excess_over_margin

pytestmark = pytest.mark.tables

N, K = 12, 6


def cross_entropy(**options):
    return keras.losses.SparseCategoricalCrossentropy(**options)


class Together:
    """A sum of losses, each by a factor, and of a constant."""

    def __init__(self, *parts, constant=0.0):
        self.parts, self.constant = parts, constant

    def __call__(self, **options):
        made = [(factor, make(**options)) for factor, make in self.parts]
        return lambda y, z: sum(factor * loss(y, z) for factor, loss in made) + self.constant


class Uncertainty:
    """KL(p ‖ u), of the uniform distribution u, as a loss."""

    def __init__(self, **_):
        self.kl = keras.losses.KLDivergence(reduction=None)

    def __call__(self, y, z):
        p = ops.softmax(z)
        return self.kl(p, ops.full_like(p, 1 / K))


def of(make, *arguments):
    return lambda **options: make(*arguments, **options)


# name: (a neighbor, what it is the same as, which of the predictions it holds for).
ALL, RIGHT = "all", "right"
LIMITS = {
    "MaxSup of α = 0": (of(MaxSup, 0.0), cross_entropy, ALL),
    "MarginSmoothing of α = 0": (of(MarginSmoothing, 0.0), cross_entropy, ALL),
    "MarginSmoothing, m → ∞": (of(MarginSmoothing, 0.3, 1e4), cross_entropy, ALL),
    "FocalCE of γ = 0": (of(FocalCE, 0.0), cross_entropy, ALL),
    "FocalCE, γ → 0": (of(FocalCE, 1e-7), cross_entropy, ALL),
    "ConfidencePenalty of β = 0": (of(ConfidencePenalty, 0.0), cross_entropy, ALL),
    "NegativeSmoothing of r = 0": (of(NegativeSmoothing, 0.0), cross_entropy, ALL),
    "MarginSmoothing of m = 0": (of(MarginSmoothing, 0.3, 0.0), of(MaxSup, 0.3), ALL),
    "MaxSup of right predictions": (of(MaxSup, 0.3), of(SmoothedCE, 0.3), RIGHT),
    # The smoothed loss is a line in α, which goes on below 0.
    "NegativeSmoothing": (
        of(NegativeSmoothing, -0.3),
        Together((2, cross_entropy), (-1, of(SmoothedCE, 0.3))),
        ALL,
    ),
    # Smoothing is (1 − α) H(y, p) + α (KL(u ‖ p) + log K): the other way round.
    "ConfidencePenalty by KL(p ‖ u)": (
        of(ConfidencePenalty, 0.3),
        Together((1, cross_entropy), (0.3, Uncertainty), constant=-0.3 * np.log(K)),
        ALL,
    ),
}


def batch(scale=2.0):
    rng = np.random.default_rng(0)
    return rng.integers(0, K, N), (scale * rng.standard_normal((N, K))).astype("float32")


@pytest.mark.parametrize("name", LIMITS)
def test_limits_in_value_and_gradient(name):
    make, same, of_which = LIMITS[name]
    labels, z = batch()
    if of_which == RIGHT:
        labels = z.argmax(-1)
    ours, theirs = (f(from_logits=True, reduction=None) for f in (make, same))
    found, expected = (ops.convert_to_numpy(loss(labels, z)) for loss in (ours, theirs))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    slopes, expected = (
        gradient(lambda z, loss=loss: ops.sum(loss(labels, z)), z) for loss in (ours, theirs)
    )
    np.testing.assert_allclose(slopes, expected, atol=2e-6)


class Bounds(NamedTuple):
    """Of a loss, in nats: functions of the cross-entropy, entropy and logits of each example."""

    make: Callable
    low: Callable
    high: Callable


INFINITE = np.inf
BOUNDS = {
    "MaxSup": Bounds(
        of(MaxSup, 0.3),
        lambda ce, h, z: ce,
        lambda ce, h, z: ce + 0.3 * (z.max(-1) - z.min(-1)),
    ),
    "MarginSmoothing": Bounds(
        of(MarginSmoothing, 0.3, 2.0),
        lambda ce, h, z: ce,
        lambda ce, h, z: ce + 0.3 * np.maximum(0, z.max(-1) - z.min(-1) - 2),
    ),
    "FocalCE": Bounds(
        of(FocalCE, 3.0), lambda ce, h, z: np.maximum(0, ce - 3 * h), lambda ce, h, z: ce
    ),
    "FLSD-53": Bounds(
        of(FocalCE, "flsd53"), lambda ce, h, z: np.maximum(0, ce - 5 * h), lambda ce, h, z: ce
    ),
    "ConfidencePenalty": Bounds(
        of(ConfidencePenalty, 0.3),
        lambda ce, h, z: ce - 0.3 * np.log(K),
        lambda ce, h, z: ce,
    ),
    # By how much: no distance between logits is too large.
    "NegativeSmoothing": Bounds(
        of(NegativeSmoothing, -0.3),
        lambda ce, h, z: ce - 0.3 * (z.max(-1) - z.min(-1)),
        lambda ce, h, z: 1.3 * ce,
    ),
}


@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0, 100.0])
@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(name, scale):
    make, low, high = BOUNDS[name]
    labels, z = batch(scale)
    log_p = log_softmax(z.astype("float64"))
    known = -log_p[range(N), labels], -(np.exp(log_p) * log_p).sum(-1), z.astype("float64")
    losses = ops.convert_to_numpy(make(from_logits=True, reduction=None)(labels, z))
    within = 1e-5 * (1 + scale)
    assert (losses >= low(*known) - within).all()
    assert (losses <= high(*known) + within).all()


def test_negative_smoothing_has_no_bound_but_that_of_clipped_probabilities():
    labels, z = batch()
    z[range(N), labels] = z.max(-1) + 1  # right predictions
    made = NegativeSmoothing(-0.5, from_logits=True)
    losses = [float(made(labels, factor * z)) for factor in (1, 10, 100, 1000)]
    assert sorted(losses, reverse=True) == losses
    assert losses[-1] < -500
    least = -0.5 * (1 - 1 / K) * np.log(1 / keras.config.epsilon())
    p = np.eye(K, dtype="float32")[labels]
    assert float(NegativeSmoothing(-0.5)(labels, p)) == pytest.approx(least, rel=1e-4)


def softmax(z):
    return np.exp(log_softmax(z.astype("float64")))


def confidence_slopes(p, y, z):
    log_p = np.log(p)
    return p - y + 0.3 * p * (log_p - (p * log_p).sum(-1, keepdims=True))


def focal_slopes(p, y, z):
    p_y = (p * y).sum(-1, keepdims=True)
    return ((1 - p_y) ** 2 - 2 * p_y * (1 - p_y) * np.log(p_y)) * (p - y)


def margin_slopes(p, y, z):
    beyond = z.max(-1, keepdims=True) - z > 2
    top = z == z.max(-1, keepdims=True)
    return p - y + 0.3 / K * (beyond.sum(-1, keepdims=True) * top - beyond)


def max_slopes(p, y, z):
    return p - y + 0.3 * ((z == z.max(-1, keepdims=True)) - 1 / K)


# As `docs/beyond_uniform_smoothing.md` has them: of p, one-hot labels and logits.
GRADIENTS = {
    "MaxSup": max_slopes,
    "MarginSmoothing": margin_slopes,
    "FocalCE": focal_slopes,
    "ConfidencePenalty": confidence_slopes,
    "NegativeSmoothing": lambda p, y, z: p - 1.3 * y + 0.3 / K,
}
NEIGHBORS = {
    "MaxSup": of(MaxSup, 0.3),
    "MarginSmoothing": of(MarginSmoothing, 0.3, 2.0),
    "FocalCE": of(FocalCE, 2.0),
    "ConfidencePenalty": of(ConfidencePenalty, 0.3),
    "NegativeSmoothing": of(NegativeSmoothing, -0.3),
}


@pytest.mark.parametrize("name", NEIGHBORS)
def test_gradients_are_those_of_the_table_in_the_docs(name):
    labels, z = batch()
    loss = NEIGHBORS[name](from_logits=True, reduction="sum")
    expected = GRADIENTS[name](softmax(z), np.eye(K)[labels], z.astype("float64"))
    np.testing.assert_allclose(gradient(lambda z: loss(labels, z), z), expected, atol=2e-6)


@pytest.mark.parametrize("name", NEIGHBORS)
def test_only_distances_between_logits_matter_and_far_ones_keep_their_digits(name):
    labels, z = batch()
    z = np.round(z * 64) / 64  # exact also beside 1e4 in float32
    loss = NEIGHBORS[name](from_logits=True, reduction="sum")
    slopes = gradient(lambda z: loss(labels, z), z)
    np.testing.assert_allclose(slopes.sum(-1), 0, atol=1e-6)
    far = z + np.float32(1e4)
    assert float(loss(labels, far)) == pytest.approx(float(loss(labels, z)), rel=1e-6)
    np.testing.assert_allclose(gradient(lambda z: loss(labels, z), far), slopes, atol=1e-6)


@pytest.mark.parametrize("name", NEIGHBORS)
def test_dense_targets_that_are_no_labels(name):
    # Each is a line in the targets, the penalty apart: what two labels have, half and half.
    labels, z = batch()
    other = (labels + 1) % K
    loss = NEIGHBORS[name](from_logits=True, reduction=None)
    one_hot = np.eye(K, dtype="float32")
    mixed = ops.convert_to_numpy(loss((one_hot[labels] + one_hot[other]) / 2, z))
    each = [ops.convert_to_numpy(loss(y, z)) for y in (labels, other)]
    np.testing.assert_allclose(mixed, sum(each) / 2, rtol=1e-5, atol=1e-6)


MASKED = np.float32([[1.0, -np.inf, 0.0], [0.5, -np.inf, 2.0]])
WITHOUT = MASKED[:, [0, 2]]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        of(MaxSup, 0.0),
        of(MarginSmoothing, 0.0),
        of(FocalCE, 2.0),
        of(FocalCE, "flsd53"),
        of(ConfidencePenalty, 0.3),
        of(NegativeSmoothing, 0.0),
    ],
)
def test_masked_classes_are_as_if_they_were_not(make, dense):
    labels, labels_without = np.array([0, 2]), np.array([0, 1])
    loss = make(from_logits=True, reduction="sum")
    y_true = np.eye(3, dtype="float32")[labels] if dense else labels
    expected = float(loss(labels_without, WITHOUT))
    assert float(loss(y_true, MASKED)) == pytest.approx(expected, rel=1e-6)
    slopes = gradient(lambda z: loss(y_true, z), MASKED)
    expected = gradient(lambda z: loss(labels_without, z), WITHOUT)
    np.testing.assert_allclose(slopes[:, [0, 2]], expected, atol=1e-6)
    np.testing.assert_array_equal(slopes[:, 1], 0)


def test_masked_classes_that_are_asked_for_mass():
    for make, infinite in (
        (MaxSup, np.inf),
        (MarginSmoothing, np.inf),
        (NegativeSmoothing, -np.inf),
    ):
        assert float(make(from_logits=True)([0, 2], MASKED)) == infinite


@pytest.mark.parametrize(
    ("make", "wrong", "message"),
    [
        (MaxSup, {"alpha": -0.1}, "alpha to be a finite number of at least 0"),
        (MarginSmoothing, {"alpha": "0.1"}, "alpha to be a finite number"),
        (MarginSmoothing, {"margin": -1}, "margin to be a finite number of at least 0"),
        (FocalCE, {"gamma": -1}, "gamma to be a finite number of at least 0"),
        (FocalCE, {"gamma": "flsd"}, "gamma to be a number or 'flsd53'. Received: 'flsd'"),
        (ConfidencePenalty, {"beta": np.nan}, "beta to be a finite number of at least 0"),
        (NegativeSmoothing, {"rate": 0.1}, "rate to be a finite number of at most 0"),
        (MaxSup, {"axis": 0.5}, "axis"),
        (FocalCE, {"ignore_class": "pad"}, "ignore_class"),
        (ConfidencePenalty, {"from_logits": 1}, "from_logits"),
    ],
)
def test_arguments(make, wrong, message):
    with pytest.raises(InputError, match=message):
        make(**wrong)


def test_of_several_largest_logits_max_suppression_lowers_the_first():
    z = np.float32([[2.0, 2.0, 0.0]])
    loss = MaxSup(0.3, from_logits=True)
    slopes = gradient(lambda z: loss([2], z), z)
    p = softmax(z)[0]
    np.testing.assert_allclose(slopes[0], p - [-0.2, 0.1, 1.1], atol=1e-6)


@pytest.mark.parametrize("name", NEIGHBORS)
def test_fits(name):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(K, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.5), NEIGHBORS[name]())
    x, y = np.eye(3, dtype="float32").repeat(8, axis=0), np.arange(3).repeat(8)
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.peers
@pytest.mark.parametrize("name", NEIGHBORS)
def test_equals_pytorch_and_its_autodiff_of_the_papers_expressions(name):
    import torch

    def beyond(z, margin):
        return torch.relu(z.max(-1, keepdim=True).values - z - margin).mean(-1)

    def plain(z, y):
        return torch.nn.functional.cross_entropy(z, y, reduction="none")

    def smoothed(z, y):
        uniform = -torch.log_softmax(z, -1).mean(-1)
        return 1.3 * plain(z, y) - 0.3 * uniform

    expressions = {
        "MaxSup": lambda z, y: plain(z, y) + 0.3 * (z.topk(1, -1).values[:, 0] - z.mean(-1)),
        "MarginSmoothing": lambda z, y: plain(z, y) + 0.3 * beyond(z, 2.0),
        "FocalCE": lambda z, y: (1 - torch.exp(-plain(z, y))) ** 2 * plain(z, y),
        "ConfidencePenalty": lambda z, y: (
            plain(z, y) - 0.3 * torch.distributions.Categorical(logits=z).entropy()
        ),
        "NegativeSmoothing": smoothed,
    }
    labels, z = batch()
    theirs_z = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    theirs = expressions[name](theirs_z, torch.tensor(labels))
    theirs.sum().backward()
    loss = NEIGHBORS[name](from_logits=True, reduction=None)
    found = ops.convert_to_numpy(loss(labels, z))
    np.testing.assert_allclose(found, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
    slopes = gradient(lambda z: ops.sum(loss(labels, z)), z)
    np.testing.assert_allclose(slopes, theirs_z.grad.numpy(), atol=1e-6)


def test_excess_by_hand():
    z = np.float32([[3.0, 1.0, 0.0, 2.5]])
    found = excess_over_margin(ops.convert_to_tensor(z), 1.0)
    assert float(found[0]) == pytest.approx((1 + 2) / 4)
    slopes = gradient(lambda z: ops.sum(excess_over_margin(z, 1.0)), z)
    np.testing.assert_allclose(slopes, [[0.5, -0.25, -0.25, 0]])

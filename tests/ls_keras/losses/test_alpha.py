"""Rates: conversions, and rates per class and per position against one loss per position."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from gradient import gradient
from loss_tester import K, Row, batch, log_softmax, reference
from ls_base.errors import InputError
from ls_keras import FocalCE, linear_smoothed_ce
from ls_keras.losses import (
    ConfidencePenalty,
    MarginSmoothing,
    MaxSup,
    NegativeSmoothing,
    Prior,
    SmoothedCE,
    Uniform,
    Unigram,
    alpha_from_off_target,
    off_target_from_alpha,
    smooth_labels,
    smoothed_cross_entropy,
    with_alpha,
)

BY_CLASS = np.linspace(0, 0.9, K)
PAD = 3
SMOOTHINGS = {
    "uniform": "uniform",
    "exclude": Uniform(exclude=[0, 2]),
    "unigram": Unigram(np.arange(K), exclude=[6]),
    "prior": Prior([0.5, 0.2, 0.1, 0.1, 0.1, 0, 0]),
    "neighborhood": "neighborhood",
}
PRIORS = {
    "uniform": np.full(K, 1 / K),
    "exclude": np.array([0, 1, 0, 1, 1, 1, 1]) / 5,
    "unigram": np.array([1, 2, 3, 4, 5, 6, 0]) / 21,
    "prior": np.array([0.5, 0.2, 0.1, 0.1, 0.1, 0, 0]),
}


def mass(name, labels, counted):
    """Returns q at each position, `(B, T, K)`, as a plain loop of its neighbors."""
    if name != "neighborhood":
        return np.broadcast_to(PRIORS[name], (*labels.shape, K))
    q = np.zeros((*labels.shape, K))
    for b, t in np.ndindex(*labels.shape):
        for s, weight in ((t - 2, 2), (t - 1, 5), (t + 1, 5), (t + 2, 2)):
            if 0 <= s < labels.shape[1] and counted[b, s]:
                q[b, t, labels[b, s]] += weight
        q[b, t] = q[b, t] / q[b, t].sum() if q[b, t].any() else np.eye(K)[labels[b, t]]
    return q


def smoothed(name):
    def values(rates, labels, z, counted):
        rates = rates[..., None]
        y = (1 - rates) * np.eye(K)[labels] + rates * mass(name, labels, counted)
        return -(y * log_softmax(z)).sum(-1)

    return SmoothedCE, {"smoothing": SMOOTHINGS[name]}, values


def neighbor(make, values, **options):
    def of_positions(rates, labels, z, counted):
        log_p = log_softmax(z)
        at_label = np.take_along_axis(log_p, labels[..., None], axis=-1)[..., 0]
        return values(rates, -at_label, log_p)

    return make, options, of_positions


def beyond(z, margin):
    return np.maximum(0, z.max(-1, keepdims=True) - z - margin).mean(-1)


# Class, options and the losses `(B, T)` of rates `(B, T)`; negative smoothing's are minus these.
RATED = {name: smoothed(name) for name in SMOOTHINGS} | {
    "max_sup": neighbor(MaxSup, lambda a, h, z: h + a * beyond(z, 0)),
    "margin": neighbor(MarginSmoothing, lambda a, h, z: h + a * beyond(z, 2.5), margin=2.5),
    "penalty": neighbor(ConfidencePenalty, lambda b, h, z: h + b * (np.exp(z) * z).sum(-1)),
    "negative": neighbor(NegativeSmoothing, lambda r, h, z: (1 + r) * h + r * z.mean(-1)),
}


def expected(name, rates, labels, z, counted=None):
    """Returns losses and slopes by finite differences of positions with a rate each."""
    values = RATED[name][2]
    row = Row(None, lambda _, labels, z, counted: values(rates, labels, z, counted))
    return reference(row, None, labels, z, counted)


def made(name, rates, **options):
    kind, fixed, _ = RATED[name]
    rates = rates if isinstance(rates, str) else sign(name) * np.asarray(rates)
    return kind(
        rates if np.ndim(rates) or isinstance(rates, str) else float(rates),
        **{"from_logits": True, **fixed, **options},
    )


def sign(name):
    return -1 if name == "negative" else 1


@pytest.mark.parametrize("name", RATED)
def test_by_class_in_value_and_gradient(name, traced):
    labels, z, weights = batch()
    values, slopes = expected(name, BY_CLASS[labels], labels, z)
    loss = made(name, BY_CLASS, reduction=None)
    np.testing.assert_allclose(loss(labels, z), values, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(traced(loss, labels, z), values, rtol=2e-5, atol=1e-6)
    total = made(name, BY_CLASS, reduction="sum")
    dz = gradient(lambda z: total(labels, z, weights), z)
    np.testing.assert_allclose(dz, slopes * weights[..., None], atol=2e-6)


@pytest.mark.parametrize("name", RATED)
def test_per_example_in_value_and_gradient(name, traced):
    labels, z, weights = batch()
    rates = np.random.default_rng(1).choice(np.linspace(0, 1, 6), labels.shape)
    labels[0, 2] = labels[1, 0] = PAD
    counted = labels != PAD
    dirty = np.where(counted[..., None], z, np.nan)
    values, slopes = expected(name, rates, labels, z, counted)
    y_true = with_alpha(labels, sign(name) * np.where(counted, rates, np.nan))
    loss = made(name, "per-example", reduction=None, ignore_class=PAD)
    np.testing.assert_allclose(loss(y_true, dirty), values, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(traced(loss, y_true, dirty), values, rtol=2e-5, atol=1e-6)
    total = made(name, "per-example", reduction="sum", ignore_class=PAD)
    dz = gradient(lambda z: total(y_true, z, weights), dirty)
    np.testing.assert_allclose(dz, slopes * weights[..., None], atol=2e-6)


@pytest.mark.parametrize("name", RATED)
def test_one_rate_for_all_is_the_number(name):
    labels, z, weights = batch()
    number = made(name, 0.3)(labels, z, weights)
    for loss, y_true in (
        (made(name, np.full(K, 0.3)), labels),
        (made(name, "per-example"), with_alpha(labels, np.full(labels.shape, sign(name) * 0.3))),
    ):
        assert float(loss(y_true, z, weights)) == pytest.approx(float(number), rel=1e-6)


@pytest.mark.parametrize("name", [name for name in RATED if name != "neighborhood"])
def test_of_dense_targets_a_class_counts_as_much_as_the_target(name):
    labels, z, _ = batch()
    mixed = np.eye(K)[labels] * 0.75 + np.eye(K)[(labels + 1) % K] * 0.25
    mixed = mixed.astype("float32")
    by_class = made(name, BY_CLASS, reduction=None)(mixed, z)
    rates = mixed @ BY_CLASS
    each = made(name, "per-example", reduction=None)(with_alpha(mixed, sign(name) * rates), z)
    np.testing.assert_allclose(by_class, each, rtol=1e-5, atol=1e-6)
    if name in SMOOTHINGS:
        q = PRIORS[name]
        built = (1 - rates[..., None]) * mixed + rates[..., None] * q
        np.testing.assert_allclose(by_class, -(built * log_softmax(z)).sum(-1), rtol=1e-5)


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_functions_take_tensors(name, traced):
    labels, z, _ = batch()
    options = {"smoothing": SMOOTHINGS[name], "from_logits": True}
    rates = np.random.default_rng(1).random(labels.shape).astype("float32")
    rates[0, 0] = 0
    for alpha, each in (
        (rates[..., None], rates),
        (BY_CLASS.astype("float32"), BY_CLASS[labels]),
        (np.float32(0.3), np.full(labels.shape, 0.3)),
        (np.array(0.3, "float32"), np.full(labels.shape, 0.3)),
    ):
        values, slopes = expected(name, each, labels, z)

        def losses(z, alpha):
            return smoothed_cross_entropy(labels, z, alpha, **options)

        np.testing.assert_allclose(losses(z, alpha), values, rtol=2e-5)
        np.testing.assert_allclose(traced(losses, z, alpha), values, rtol=2e-5)
        dz = gradient(lambda z, alpha=alpha: ops.sum(losses(z, alpha)), z)
        np.testing.assert_allclose(dz, slopes, atol=2e-6)
        built = smooth_labels(labels, alpha, K, SMOOTHINGS[name])
        by_hand = -(ops.convert_to_numpy(built) * log_softmax(z)).sum(-1)
        np.testing.assert_allclose(by_hand, values, rtol=2e-5)


def test_alpha_gets_no_gradient():
    labels, z, _ = batch()
    found = gradient(
        lambda alpha: (
            ops.sum(smoothed_cross_entropy(labels, z, alpha, from_logits=True)) + 0 * ops.sum(alpha)
        ),
        BY_CLASS.astype("float32"),
    )
    np.testing.assert_array_equal(found, 0)


def test_many_classes_under_every_compiler(traced):
    labels, rng = np.arange(8) * 37, np.random.default_rng(0)
    z = (rng.standard_normal((8, 300)) + 1e3).astype("float32")
    rates = np.linspace(0, 1, 8)
    loss = SmoothedCE("per-example", from_logits=True, reduction=None)
    log_p = log_softmax(z.astype("float64"))
    values = -(1 - rates) * log_p[range(8), labels] - rates * log_p.mean(-1)
    found = traced(loss, with_alpha(labels, rates), z)
    np.testing.assert_allclose(found, values, rtol=1e-4)


def test_a_rate_of_zero_leaves_masked_classes_alone():
    z = np.float32([[1.0, 0.0, -np.inf]])
    rows = [name for name in RATED if name not in ("neighborhood", "prior", "unigram", "exclude")]
    for name in rows:
        loss = made(name, "per-example", reduction="sum")
        y_true = with_alpha(np.array([0]), np.float32([0.0]))
        assert float(loss(y_true, z)) == pytest.approx(np.log1p(np.exp(-1)), rel=1e-5)
        dz = gradient(lambda z, loss=loss, y_true=y_true: loss(y_true, z), z)
        assert np.isfinite(dz).all()


def test_out_of_bounds_is_told_or_poisons_its_loss_alone(traced):
    labels, z, _ = batch()
    rates = np.full(labels.shape, 0.1)
    rates[0, 1], rates[2, 2] = 1.5, np.nan
    y_true = with_alpha(labels, rates)
    loss = SmoothedCE("per-example", from_logits=True, reduction=None)
    with pytest.raises(InputError, match="alpha=1.5 among 2 out of range"):
        loss(y_true, z)
    found = traced(loss, y_true, z)
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 1], [2, 2]]


@pytest.mark.parametrize("wrong", [[0.1, 1.5], [[0.1, 0.2]], [0.1], [], ["a", "b"], "per example"])
def test_arguments(wrong):
    with pytest.raises(InputError, match="alpha"):
        SmoothedCE(wrong)
    labels, z, _ = batch()
    with pytest.raises(InputError, match="alpha"):
        smoothed_cross_entropy(labels, z, wrong, from_logits=True)


def test_rates_that_do_not_fit_the_targets_are_told():
    labels, z, _ = batch()
    packed = with_alpha(labels, np.full(labels.shape, 0.1))
    with pytest.raises(InputError, match="without numbers beside it"):
        SmoothedCE("per-example", from_logits=True)(labels, z)
    for loss in (SmoothedCE(0.1), SmoothedCE(BY_CLASS), FocalCE()):
        loss.from_logits = True
        with pytest.raises(InputError, match="with_alpha"):
            loss(packed, z)
    with pytest.raises(InputError, match="per-example"):
        linear_smoothed_ce(packed, z, np.eye(K, dtype="float32"))
    with pytest.raises(InputError, match=r"shape \(7,\), one per class"):
        SmoothedCE(BY_CLASS[1:], from_logits=True)(labels, z)


@pytest.mark.parametrize("name", ["uniform", "max_sup", "negative"])
def test_rates_are_saved(name, tmp_path):
    labels, z, _ = batch()
    for rates in (BY_CLASS, "per-example"):
        y_true = (
            with_alpha(labels, sign(name) * BY_CLASS[labels]) if rates is not BY_CLASS else labels
        )
        model = keras.Sequential([keras.Input(z.shape[1:]), keras.layers.Dense(K)])
        model.compile("sgd", made(name, rates))
        value = model.evaluate(z, y_true, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert loaded.loss.get_config() == model.loss.get_config()
        assert loaded.evaluate(z, y_true, verbose=0) == pytest.approx(value, rel=1e-6)


def test_of_dense_targets_what_rounds_above_a_bound_is_the_bound():
    rng = np.random.default_rng(0)
    dense = rng.dirichlet(np.ones(K), 500).astype("float32")
    z = rng.standard_normal((500, K)).astype("float32")
    found = SmoothedCE(np.ones(K), from_logits=True, reduction=None)(dense, z)
    expected = SmoothedCE(1.0, from_logits=True, reduction=None)(dense, z)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_of_dense_targets_a_sum_out_of_bounds_is_told():
    with pytest.raises(InputError, match="Received: alpha=1.2"):
        SmoothedCE([0.6, 0.6, 0.1], from_logits=True)(np.float32([[1, 1, 0]]), np.zeros((1, 3)))


@given(st.floats(0, 1), st.integers(2, 100_000))
def test_conversions_are_inverse(alpha, num_classes):
    epsilon = off_target_from_alpha(alpha, num_classes)
    # Each wrong class gets the same mass in both conventions, and so does the target.
    assert epsilon / (num_classes - 1) == pytest.approx(alpha / num_classes)
    assert 1 - epsilon == pytest.approx(1 - alpha + alpha / num_classes)
    if alpha <= 0.999:
        assert alpha_from_off_target(epsilon, num_classes) == pytest.approx(alpha)


def test_conversions_by_hand():
    assert alpha_from_off_target(0.1, 2) == pytest.approx(0.2)
    assert alpha_from_off_target(0.5, 2) == 1


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan"), "0.1", None, True])
def test_conversions_refuse_what_is_no_fraction(epsilon):
    with pytest.raises(InputError, match="epsilon"):
        alpha_from_off_target(epsilon, 10)
    with pytest.raises(InputError, match="alpha"):
        off_target_from_alpha(epsilon, 10)


def test_alpha_above_1_is_refused():
    with pytest.raises(InputError, match=r"gives alpha=1\.2"):
        alpha_from_off_target(0.6, 2)


@pytest.mark.parametrize("num_classes", [1, 2.0, True])
def test_conversions_refuse_too_few_classes(num_classes):
    with pytest.raises(InputError, match="num_classes"):
        alpha_from_off_target(0.1, num_classes)

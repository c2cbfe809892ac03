"""What every fit behind `calibrated` has in common: one table of fits, one set of properties."""

import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax, softmax

from ls_base.errors import InputError
from ls_keras import calibration
from ls_keras.calibration.scaling import recalibration
from ls_keras.calibration.scaling.mixed_scaling import mixed_log_softmax
from ls_keras.calibration.scaling.recalibration import score
from ls_keras.inputs.numpy_examples import read_host_examples

FITS = {
    "temperature": calibration.fit_temperature,
    "vector": calibration.fit_vector_scaling,
    "mixed temperature": calibration.fit_mixed_temperature,
    "matrix": calibration.fit_matrix_scaling,
    "isotonic": calibration.fit_isotonic,
    "histogram": calibration.fit_histogram,
}
# How far an order of summation, or a repeated example, may move the probabilities.
SLACK = {"matrix": 1e-3, "vector": 1e-3}


@pytest.fixture(params=FITS)
def name(request):
    return request.param


def sample(rng, number=600, classes=4):
    """Logits that are too large, with one class too rare."""
    z = rng.normal(size=(number, classes)) * 3
    labels = (z / 2 + np.eye(classes)[0] + rng.gumbel(size=z.shape)).argmax(-1)
    return labels, z.astype(np.float32)


def test_fit_improves_nll_and_ece(rng, name):
    y, z = sample(rng)
    fit = FITS[name](y, z, from_logits=True)
    p = fit.probabilities(z, from_logits=True)
    nll = -np.log(p[np.arange(len(y)), y]).mean()
    assert fit.nll_before == pytest.approx(-log_softmax(z, -1)[np.arange(len(y)), y].mean())
    assert fit.nll_after == pytest.approx(nll, rel=1e-6)
    assert nll < fit.nll_before
    ece = calibration.reliability_curve(y, p.astype(np.float32), resamples=100).ece
    assert fit.ece_after == pytest.approx(ece, abs=2e-3)  # an edge is a rounding away
    assert fit.ece_after < fit.ece_before
    assert fit.num_examples == len(y)
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-9)


@pytest.mark.parametrize("name", sorted(FITS.keys() - {"vector"}))  # which a shift changes
def test_probabilities_are_read_as_their_logarithms(rng, name):
    y, z = sample(rng)
    p = softmax(z.astype(float), -1)
    of_logits = FITS[name](y, z.astype(float), from_logits=True)
    of_probabilities = FITS[name](y, p)
    np.testing.assert_allclose(
        of_probabilities.probabilities(p),
        of_logits.probabilities(z.astype(float), from_logits=True),
        atol=1e-3 if name in ("matrix", "isotonic") else 1e-5,
    )


def test_order_masks_weights_and_ignored_classes(rng, name):
    y, z = sample(rng)
    fit, order = FITS[name](y, z, from_logits=True), rng.permutation(len(y))
    expected = fit.probabilities(z, from_logits=True)
    spoilt = np.concatenate([z, np.full((6, 4), np.nan, np.float32)])
    labels = np.concatenate([y, np.full(6, -1)])
    found = {
        "order": FITS[name](y[order], z[order], from_logits=True),
        "tensors in batch × time": FITS[name](
            ops.convert_to_tensor(y.reshape(20, 30)),
            ops.convert_to_tensor(z.reshape(20, 30, 4)),
            from_logits=True,
        ),
        "ignored": FITS[name](labels, spoilt, from_logits=True, ignore_class=-1),
        "masked": FITS[name](
            labels.clip(0), spoilt, from_logits=True, mask=np.arange(len(labels)) < len(y)
        ),
        "one hot": FITS[name](np.eye(4, dtype=np.float32)[y], z, from_logits=True),
        "weights": FITS[name](y, z, from_logits=True, sample_weight=np.full(len(y), 3.0)),
    }
    for what, other in found.items():
        p = other.probabilities(z, from_logits=True)
        np.testing.assert_allclose(p, expected, atol=SLACK.get(name, 1e-5), err_msg=what)


def test_forbidden_class_keeps_probability_zero(rng, name):
    y, z = sample(rng)
    z[:, 3] = np.where(y == 3, z[:, 3], -np.inf)
    fit = FITS[name](y, z, from_logits=True)
    p = fit.probabilities(z, from_logits=True)
    np.testing.assert_array_equal(p[y != 3, 3], 0)
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-9)
    layer = ops.convert_to_numpy(ops.softmax(fit.make_layer("a")(z)))
    np.testing.assert_array_equal(layer[y != 3, 3], 0)


@pytest.mark.parametrize("classes", [2, 4])
def test_layer_equals_fit(rng, name, classes):
    y, z = sample(rng, classes=classes)
    fit = FITS[name](y, z, from_logits=True)
    new = rng.normal(size=(3, 50, classes)).astype(np.float32) * 3
    scaled = fit.make_layer("scaled")(new)
    found = ops.convert_to_numpy(ops.softmax(scaled))
    if name in ("temperature", "vector", "matrix"):
        logits = ops.convert_to_numpy(scaled)
        np.testing.assert_allclose(fit.logits(new), logits, atol=1e-4)
    expected = fit.probabilities(new, from_logits=True)
    # Rounding of p matters where a curve is steep or jumps.
    near = np.isclose(found, expected, atol=1e-4)
    assert near.mean() > 0.99
    np.testing.assert_allclose(softmax(fit.logits(new), -1), expected, atol=1e-12)
    p = softmax(new, -1)
    np.testing.assert_allclose(
        softmax(fit.logits(p, from_logits=False), -1), fit.probabilities(p), atol=1e-12
    )


@pytest.mark.parametrize("name", ["mixed temperature", "matrix", "isotonic", "histogram"])
def test_probabilities_stay_above_zero_without_wrong_predictions(rng, name):
    z = rng.normal(size=(200, 3)).astype(np.float32)
    fit = FITS[name](z.argmax(-1), z, from_logits=True)
    p = fit.probabilities(5 * z, from_logits=True)
    assert p.min() > 0
    assert np.isfinite(fit.nll_after)


def test_wrong_arguments_raise_input_errors(rng, name):
    y, z = sample(rng, 20)
    with pytest.raises(InputError, match="at least one example that counts"):
        FITS[name](y, z, from_logits=True, sample_weight=np.zeros(20))
    with pytest.raises(InputError, match="Expected probabilities"):
        FITS[name](y, z)
    with pytest.raises(InputError, match="num_bins"):
        FITS[name](y, z, from_logits=True, num_bins=0)
    fit = FITS[name](y, z, from_logits=True)
    with pytest.raises(InputError, match="Expected probabilities"):
        fit.probabilities(z)
    if fit.num_classes:
        with pytest.raises(InputError, match="the model's 3 classes"):
            fit.probabilities(z[:, :3], from_logits=True)


@pytest.mark.parametrize("dense", [False, True])
def test_scores_equal_numpy(rng, dense, monkeypatch):
    monkeypatch.setattr(recalibration, "CHUNK", 60)
    y, z = sample(rng, 100)
    target = np.eye(4)[y]
    if dense:
        y = target = rng.dirichlet(np.ones(4), 100)
    w = rng.random(100).astype(np.float32)
    examples = read_host_examples(y, z, from_logits=True, sample_weight=w)
    found = score(examples, lambda z: mixed_log_softmax(z, 2.0, 0.1), num_bins=5)
    p = 0.9 * softmax(z / 2, -1) + 0.1 / 4
    assert found.nll == pytest.approx(np.average(-(target * np.log(p)).sum(-1), weights=w))
    assert found.brier == pytest.approx(np.average(((p - target) ** 2).sum(-1), weights=w))
    index = np.ceil(p.max(-1) * 5)
    gaps = w * (p.max(-1) - (p.argmax(-1) == target.argmax(-1)))
    ece = sum(abs(gaps[index == b].sum()) for b in range(1, 6)) / w.sum()
    assert found.ece == pytest.approx(ece, abs=1e-6)


def test_full_mixing_is_uniform():
    z = np.array([[3.0, 0.0, -np.inf]])
    np.testing.assert_allclose(np.exp(mixed_log_softmax(z, 1, 1.0)), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(np.exp(mixed_log_softmax(z, 1e-9, 0.5)), [[0.75, 0.25, 0]])

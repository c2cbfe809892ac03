"""Classes of pixels, `(batch, height, width, K)`: loss, metrics, curves, temperature, models."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

import ls_keras
from masked import masked

B, H, W, K = 4, 5, 6, 3
SHAPE, BORDER, BINS = (B, H, W), 255, 10


def pixels():
    """Returns labels, some of them the border's, logits, weights, and which pixels count."""
    rng = np.random.default_rng(0)
    z = (3 * rng.standard_normal((*SHAPE, K))).astype("float32")
    y = (z / 2 + rng.gumbel(size=z.shape)).argmax(-1)
    border = rng.random(SHAPE) < 0.2
    weights = (rng.random(SHAPE) + 0.1).astype("float32")
    return np.where(border, BORDER, y).astype("uint8"), z, weights, ~border


def smoothed(y, z, alpha):
    """Returns the losses `(B, H, W)` in float64; those of the border do not count."""
    log_p, label = log_softmax(z.astype(float), axis=-1), np.where(y == BORDER, 0, y)
    at_label = np.take_along_axis(log_p, label[..., None].astype(int), -1)[..., 0]
    return -(1 - alpha) * at_label - alpha * log_p.mean(-1)


def gap(confidence, correct, weights):
    edges = (np.arange(BINS + 1) / BINS).astype("float32")
    index = np.searchsorted(edges[1:-1], confidence.astype("float32"), side="left")
    inside = (index == b for b in range(BINS))
    return sum(abs((weights * (correct - confidence))[i].sum()) for i in inside) / weights.sum()


def of_pixels(y, z, weights):
    """Returns what the metrics are, of flat pixels, by hand."""
    p, one_hot = softmax(z.astype(float), axis=-1), np.eye(K)[y]
    classwise = [gap(p[:, k], y == k, weights) for k in range(K)]
    nll = np.average(-np.log((p * one_hot).sum(-1)), weights=weights)
    return {
        "nll": nll,
        "perplexity": np.exp(nll),
        "brier": np.average(((p - one_hot) ** 2).sum(-1), weights=weights),
        "accuracy": np.average(p.argmax(-1) == y, weights=weights),
        "ece": gap(p.max(-1), p.argmax(-1) == y, weights),
        "classwise": np.mean(classwise),
    }


def metrics(**options):
    made = {name: ls_keras.metrics.get(name, **options) for name in ("nll", "perplexity")}
    made |= {name: ls_keras.metrics.get(name, **options) for name in ("brier", "accuracy")}
    ece = ls_keras.ExpectedCalibrationError
    made["ece"] = ece(BINS, **options)
    made["classwise"] = ece(BINS, classwise=True, name="classwise", **options)
    return made


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_the_loss_counts_pixels(alpha):
    y, z, weights, counted = pixels()
    expected = np.where(counted, smoothed(y, z, alpha), 0)
    options = {"from_logits": True, "ignore_class": BORDER}
    each = ls_keras.SmoothedCE(alpha, reduction=None, **options)(y, z)
    np.testing.assert_allclose(ops.convert_to_numpy(each), expected, rtol=1e-5, atol=3e-7)
    loss = ls_keras.SmoothedCE(alpha, **options)
    for given in (y, y[..., None]):
        found = float(loss(given, np.where(counted[..., None], z, np.nan), weights))
        assert found == pytest.approx((expected * weights).sum() / counted.sum(), rel=1e-5)
    of_images = weights[:, 0, 0]
    found = float(loss(y, z, of_images))
    total = (expected * of_images[:, None, None]).sum()
    assert found == pytest.approx(total / counted.sum(), rel=1e-5)
    keep = np.random.default_rng(1).random(SHAPE) < 0.6
    found = float(loss(y, masked(z, keep), weights))
    both = keep & counted
    assert found == pytest.approx((expected * weights)[both].sum() / both.sum(), rel=1e-5)
    theirs = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=BORDER)
    if not alpha:
        assert float(loss(y, z)) == pytest.approx(float(theirs(y.astype("int32"), z)), rel=1e-5)


@pytest.mark.parametrize("name", metrics())
@pytest.mark.parametrize("from_logits", [True, False])
def test_metrics_count_pixels(name, from_logits):
    y, z, weights, counted = pixels()
    y_pred = z if from_logits else softmax(z, axis=-1)
    keep = np.random.default_rng(1).random(SHAPE) < 0.6
    dirty = np.where(counted[..., None], y_pred, np.nan)
    images = np.broadcast_to(weights[:, :1, :1], SHAPE)
    for given, factors, chosen in (
        ((dirty,), np.ones(SHAPE), counted),
        ((dirty, weights), weights, counted),
        ((dirty, weights[:, 0, 0]), images, counted),
        ((masked(dirty, keep), weights), weights, counted & keep),
    ):
        metric = metrics(from_logits=from_logits, ignore_class=BORDER)[name]
        for i in range(0, B, 2):  # two batches
            parts = [part[i : i + 2] for part in given]
            if hasattr(given[0], "_keras_mask"):
                parts[0] = masked(dirty[i : i + 2], keep[i : i + 2])
            metric.update_state(y[i : i + 2], *parts)
        expected = of_pixels(y[chosen], z[chosen], factors[chosen])[name]
        assert float(metric.result()) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_curves_keep_the_pixels_of_an_image_together():
    y, z, weights, counted = pixels()
    options = {"from_logits": True, "ignore_class": BORDER, "sample_weight": weights}
    curve = ls_keras.reliability_curve(y, z, num_bins=BINS, **options)
    expected = of_pixels(y[counted], z[counted], weights[counted])["ece"]
    assert curve.ece == pytest.approx(expected, abs=1e-6)
    assert (curve.examples, curve.groups) == (counted.sum(), B)
    each = ls_keras.calibration.classwise_reliability(y, z, num_bins=BINS, **options)
    errors = [each[k].ece for k in range(K)]
    assert np.mean(errors) == pytest.approx(
        of_pixels(y[counted], z[counted], weights[counted])["classwise"], abs=1e-6
    )
    smooth = ls_keras.smooth_calibration_error(y, z, **options)
    flat = ls_keras.smooth_calibration_error(
        y[counted], z[counted], from_logits=True, sample_weight=weights[counted]
    )
    assert smooth.error == pytest.approx(flat.error, rel=1e-6)
    assert smooth.groups == B


def scipys(y, z, weights):
    def nll(beta):
        log_p = log_softmax(beta * z.astype(float), axis=-1)
        return np.average(-log_p[np.arange(len(y)), y], weights=weights)

    best = minimize_scalar(nll, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-10})
    return 1 / best.x


def test_the_temperature_is_that_of_the_pixels_that_count():
    y, z, weights, counted = pixels()
    keep = np.random.default_rng(1).random(SHAPE) < 0.8
    dirty = np.where(counted[..., None], z, np.nan)
    both = counted & keep
    options = {"from_logits": True, "ignore_class": BORDER}
    fit = ls_keras.fit_temperature(y, dirty, sample_weight=weights, mask=keep, **options)
    expected = scipys(y[both], z[both], weights[both])
    assert fit.temperature == pytest.approx(expected, rel=2e-5)
    assert fit.num_examples == both.sum()
    batches = [(z[i : i + 2], y[i : i + 2], weights[i : i + 2]) for i in (0, 2)]
    fit = ls_keras.fit_temperature_dataset(lambda x: x, batches, **options)
    expected = scipys(y[counted], z[counted], weights[counted])
    assert fit.temperature == pytest.approx(expected, rel=2e-5)


def segmenter(activation):
    inputs = keras.Input((H, W, K))
    identity = keras.initializers.Constant(np.eye(K)[None, None])
    head = layers.Conv2D(K, 1, activation=activation, kernel_initializer=identity)
    return keras.Model(inputs, head(inputs))


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_calibrated_segmenter(activation, tmp_path):
    y, z, _, counted = pixels()
    model, logits = segmenter(activation), activation is None
    y_pred = ops.convert_to_numpy(model(z))
    options = {"from_logits": logits, "ignore_class": BORDER}
    fit = ls_keras.fit_temperature(y, y_pred, **options)
    made = ls_keras.calibrated(model, fit)
    found = ops.convert_to_numpy(made(z))
    expected = scipys(y[counted], z[counted], np.ones(counted.sum()))
    assert fit.temperature == pytest.approx(expected, rel=1e-4)
    p = softmax(z.astype(float) / expected, axis=-1)
    np.testing.assert_allclose(found if activation else softmax(found, axis=-1), p, atol=1e-4)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(z)), found, rtol=1e-6)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_compiled_fit_measures_what_it_predicts(activation):
    y, z, weights, counted = pixels()
    options = {"from_logits": activation is None, "ignore_class": BORDER}
    model = segmenter(activation)
    model.compile(
        keras.optimizers.SGD(0.1),
        ls_keras.SmoothedCE(0.1, **options),
        weighted_metrics=list(metrics(**options).values()),
    )
    given = y.astype("int32")
    before = model.evaluate(z, given, sample_weight=weights, verbose=0, return_dict=True)
    predicted = ops.convert_to_numpy(ops.cast(model(z), "float32"))
    logits = predicted if activation is None else np.log(predicted)
    expected = of_pixels(y[counted], logits[counted], weights[counted])
    for name, value in expected.items():
        assert before[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    losses = (smoothed(y, logits, 0.1) * weights)[counted].sum() / counted.sum()
    assert before["loss"] == pytest.approx(losses, rel=1e-4)
    history = model.fit(z, given, sample_weight=weights, epochs=5, batch_size=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]

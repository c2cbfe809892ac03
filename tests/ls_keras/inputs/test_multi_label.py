"""`multi_label=True`: each entry of the last axis a sigmoid, and an example, of its own."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import special
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

import ls_keras
from copies import NEW, WHOLE, same_config
from ls_base.errors import InputError
from ls_keras.inputs.binary_targets import as_two_classes
from ls_keras.metrics import (
    Accuracy,
    BrierScore,
    ExpectedCalibrationError,
    NegativeLogLikelihood,
    Perplexity,
)
from masked import masked

BINS, K = 7, 4


def gap(y, p, w):
    """Returns the ECE of the label 1's probability, bin by bin."""
    edges = (np.arange(BINS + 1) / BINS).astype("float32")
    index = np.searchsorted(edges[1:-1], p.astype("float32"), side="left")
    inside = (index == b for b in range(BINS))
    return sum(abs((w * (y - p))[here].sum()) for here in inside) / w.sum()


def mean_gap(y, p, w):
    """Returns the mean over the labels of each one's."""
    return np.mean([gap(y[:, k], p[:, k], w[:, k]) for k in range(y.shape[1]) if w[:, k].sum()])


def rms(y, p, w):
    edges = (np.arange(BINS + 1) / BINS).astype("float32")
    index = np.searchsorted(edges[1:-1], p.astype("float32"), side="left")
    bins = [(w[index == b].sum(), (w * (y - p))[index == b].sum()) for b in range(BINS)]
    return np.sqrt(sum(s * s / n for n, s in bins if n) / w.sum())


def flat(reference):
    return lambda y, p, w: reference(y.ravel(), p.ravel(), w.ravel())


def cost(y, p, w):
    return log_loss(y, p, sample_weight=w)


METRICS = {
    "nll": (NegativeLogLikelihood, flat(lambda y, p, w: log_loss(y, p, sample_weight=w))),
    "perplexity": (Perplexity, flat(lambda *arrays: np.exp(cost(*arrays)))),
    "brier": (BrierScore, flat(lambda y, p, w: brier_score_loss(y, p, sample_weight=w))),
    "accuracy": (Accuracy, flat(lambda y, p, w: accuracy_score(y, p > 0.5, sample_weight=w))),
    "ece": (lambda **o: ExpectedCalibrationError(BINS, **o), flat(gap)),
    "ece-l2": (lambda **o: ExpectedCalibrationError(BINS, norm="l2", **o), flat(rms)),
    "ece-classwise": (lambda **o: ExpectedCalibrationError(BINS, classwise=True, **o), mean_gap),
}


@pytest.fixture(params=METRICS)
def metric(request):
    """A maker of metrics, and the value of labels, probabilities and weights `(N, K)`."""
    make, reference = METRICS[request.param]
    return lambda **options: make(
        **{"multi_label": True, "from_logits": True, **options}
    ), reference


def batch(rng, shape=(120, K)):
    z = (2 * rng.normal(size=shape)).astype("float32")
    return (rng.random(shape) < special.expit(z / 2)).astype("int32"), z


def value(metric, *batches) -> float:
    for given in batches:
        metric.update_state(*given)
    return float(metric.result())


def test_reference(metric, rng):
    make, reference = metric
    y, z = batch(rng)
    p, w = special.expit(z.astype(float)), rng.random(y.shape) * (rng.random(y.shape) < 0.8)
    expected = pytest.approx(reference(y, p, np.ones(y.shape)), abs=1e-5)
    for given in (y, y.astype("float32"), y.astype(bool)):
        assert value(make(), (given, z)) == expected
    for y_pred in (p.astype("float32"), ops.array(p, "float32")):
        assert value(make(from_logits=False), (y, y_pred)) == expected
    assert value(make(), (y, z, w)) == pytest.approx(reference(y, p, w), abs=1e-5)
    rows = np.broadcast_to(w[:, :1], w.shape)
    assert value(make(), (y, z, w[:, 0])) == pytest.approx(reference(y, p, rows), abs=1e-5)


def test_one_sigmoid_and_images_of_them(metric, rng):
    make, reference = metric
    for shape in ((90, 1), (5, 4, 3, K)):
        y, z = batch(rng, shape)
        columns, p = (y.reshape(-1, shape[-1]), special.expit(z.astype(float)))
        expected = reference(columns, p.reshape(columns.shape), np.ones(columns.shape))
        assert value(make(), (y, z)) == pytest.approx(expected, abs=1e-5)
    one, z = batch(rng, (90, 1))
    assert value(make(), (one[:, 0], z)) == value(make(), (one, z))


def test_what_does_not_count(metric, rng):
    make, reference = metric
    y, z = batch(rng, (6, 8, K))
    keep = rng.random(y.shape) < 0.6
    keep[..., 0] = False  # a label without any value
    columns = [array.reshape(-1, K) for array in (y, special.expit(z.astype(float)), keep * 1.0)]
    expected = pytest.approx(reference(*columns), abs=1e-5)
    dirty = np.where(keep, z, np.nan)
    ignored = np.where(keep, y, np.where(np.arange(K) % 2 == 0, -1, 77))
    assert value(make(ignore_class=(-1, 77)), (ignored, dirty)) == expected
    assert value(make(), (y, dirty, keep.astype("float32"))) == expected
    positions = keep.any(-1)
    positions[:, 3] = False
    columns[2] = np.broadcast_to(positions[..., None], y.shape).reshape(-1, K) * 1.0
    expected = pytest.approx(reference(*columns), abs=1e-5)
    dirty = np.where(positions[..., None], z, np.nan)
    assert value(make(), (y, masked(dirty, positions))) == expected


def test_many_batches_are_one(metric, rng):
    make, _ = metric
    y, z = batch(rng)
    whole = value(make(), (y, z))
    cuts = [(y[i : i + 40], z[i : i + 40]) for i in (0, 40, 80)]
    assert value(make(), *cuts) == pytest.approx(whole, rel=2e-5)


def test_no_example_gives_nan(metric):
    make, _ = metric
    assert np.isnan(value(make(ignore_class=0), ([[0, 0]], [[1.0, 2.0]])))


@pytest.mark.parametrize("how", WHOLE | NEW)
def test_a_copy_is_the_same(metric, rng, how):
    make, _ = metric
    y, z = batch(rng)
    new = (WHOLE | NEW)[how](make(ignore_class=-1, name="mine"))
    assert new.multi_label
    assert same_config(new, make(ignore_class=-1, name="mine"))
    assert value(new, (y, z)) == value(make(), (y, z))
    used = (WHOLE | NEW)[how](new)
    assert how in NEW or value(used, (y, z)) == value(new, (y, z))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bits_are_computed_in_32(metric, rng, dtype):
    make, _ = metric
    y, z = batch(rng)
    half = ops.cast(special.expit(z), dtype)
    exact = value(make(from_logits=False), (y, ops.cast(half, "float32")))
    assert value(make(from_logits=False), (y, half)) == exact


def test_wrong_input_is_refused_or_gives_nan(metric, traced):
    make, _ = metric
    with pytest.raises(InputError, match=r"in \[0, 1\]; for logits.*from_logits=True.*first 3"):
        make(from_logits=False).update_state([[1, 0]], [[0.5, 3.0]])
    with pytest.raises(InputError, match="NaN"):
        make().update_state([[1, 0]], [[0.5, np.nan]])
    with pytest.raises(InputError, match="a label for each sigmoid"):
        make().update_state([1, 0], [[0.5, 0.1], [0.5, 0.2]])
    with pytest.raises(InputError, match=r"labels in \[0, 1\]"):
        make().update_state([[2, 0]], [[0.5, 0.1]])
    with pytest.raises(InputError, match="multi_label to be True or False"):
        make(multi_label=1)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_as_eager(metric, rng, jit_compile):
    if keras.config.backend() == "torch" and jit_compile:
        return  # its compiler needs one of C++
    make, reference = metric
    y, z = batch(rng)
    y[::3, 1] = -1
    model = keras.Sequential([keras.Input((K,)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[make(ignore_class=-1, name="m")], jit_compile=jit_compile)
    found = model.evaluate(z, y, batch_size=40, verbose=0, return_dict=True)["m"]
    counted = (y >= 0) * 1.0
    expected = reference(y.clip(0), special.expit(z.astype(float)), counted)
    assert found == pytest.approx(expected, abs=1e-5)
    y[5, 2] = 9
    backend = keras.config.backend()
    if backend == "torch" or (backend == "jax" and not jit_compile):  # which is eager use
        with pytest.raises(InputError, match=r"labels in \[0, 1\] or ignore_class=-1"):
            model.evaluate(z, y, batch_size=40, verbose=0)
        return
    with pytest.warns(UserWarning, match="m is NaN"):
        found = model.evaluate(z, y, batch_size=40, verbose=0, return_dict=True)["m"]
    assert np.isnan(found)


def test_soft_labels():
    y, p = np.float32([[0.25, 0.75]]), np.float32([[0.5, 0.5]])
    assert value(BrierScore(multi_label=True), (y, p)) == pytest.approx(0.0625)
    assert value(NegativeLogLikelihood(multi_label=True), (y, p)) == pytest.approx(np.log(2))
    assert value(Accuracy(multi_label=True), (y, p)) == 0.5  # neither is predicted
    ece = ExpectedCalibrationError(multi_label=True)
    assert value(ece, (y, p)) == 0  # one of two labels is above 1/2


def test_brier_is_half_of_that_of_two_classes_and_nll_is_the_same(rng):
    y, z = batch(rng, (50, 1))
    pair = np.concatenate([0 * z, z], -1)
    for metric, factor in ((BrierScore, 2), (NegativeLogLikelihood, 1), (Accuracy, 1)):
        sigmoids = value(metric(multi_label=True, from_logits=True), (y, z))
        classes = value(metric(from_logits=True), (y[:, 0], pair))
        assert classes == pytest.approx(factor * sigmoids, rel=1e-5)


def test_keras_has_the_same_accuracy(rng):
    y, z = batch(rng)
    p = np.float32(special.expit(z))
    p[:10] = 0.5
    theirs = keras.metrics.BinaryAccuracy()
    assert value(Accuracy(multi_label=True), (y, p)) == pytest.approx(value(theirs, (y, p)))


def test_scikit_learn_has_the_same_curve(rng):
    y, z = batch(rng, (2000, 1))
    p = special.expit(z)
    curve = ls_keras.reliability_curve(y, p, num_bins=BINS, multi_label=True)
    frequency, mean = calibration_curve(y[:, 0], p[:, 0], n_bins=BINS)
    np.testing.assert_allclose(curve.accuracy, frequency, rtol=1e-6)
    np.testing.assert_allclose(curve.confidence, mean, rtol=1e-5)
    assert curve.ece == pytest.approx(gap(y, p, np.ones(p.shape)), abs=1e-6)
    assert curve.multi_label
    assert curve.groups == curve.examples == 2000


@pytest.mark.peers
def test_torchmetrics_and_netcal_have_the_same_error(rng):
    import torch
    from netcal.metrics import ECE
    from torchmetrics.classification import BinaryCalibrationError

    y, z = batch(rng, (2000, K))
    p = special.expit(z).astype("float32")
    ours = ls_keras.expected_calibration_error(y, p, multi_label=True, num_bins=10)
    theirs = BinaryCalibrationError(n_bins=10)(torch.tensor(p).ravel(), torch.tensor(y).ravel())
    assert ours == pytest.approx(float(theirs), abs=1e-6)
    assert ours == pytest.approx(ECE(10).measure(p.ravel(), y.ravel()), abs=1e-6)
    rms = ls_keras.expected_calibration_error(y, p, multi_label=True, num_bins=10, norm="l2")
    theirs = BinaryCalibrationError(10, "l2")(torch.tensor(p).ravel(), torch.tensor(y).ravel())
    assert rms == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.peers
def test_relplot_has_the_same_smooth_error(rng):
    import relplot

    y, z = batch(rng, (500, K))
    p = special.expit(z.astype(float))
    ours = ls_keras.smooth_calibration_error(y, p, multi_label=True, resamples=0)
    assert ours.error == pytest.approx(relplot.smECE(p.ravel(), y.ravel()), abs=1e-3)


def test_curves_add_up_and_keep_rows_together(rng):
    y, z = batch(rng, (60, K))
    y[rng.random(y.shape) < 0.2] = -1
    options = {"from_logits": True, "ignore_class": -1, "multi_label": True}
    whole = ls_keras.reliability_curve(y, z, **options)
    accumulator = ls_keras.ReliabilityAccumulator(**options)
    for i in range(0, 60, 20):
        accumulator.update(y[i : i + 20], z[i : i + 20])
    assert accumulator.curve() == whole
    assert whole.examples == (y >= 0).sum()
    assert whole.groups == 60
    again = whole.from_json(whole.to_json())
    assert again == whole
    assert again.multi_label
    smooth = ls_keras.smooth_calibration_error(y, z, **options)
    share = smooth.overconfidence - smooth.underconfidence
    counted = y >= 0
    assert share == pytest.approx((special.expit(z) - y)[counted].mean(), abs=1e-5)


def test_the_pair_is_exact_near_both_ends():
    p = np.array([[1e-30, 1 - 2**-24]], "float32")
    pair = as_two_classes([[0, 1]], p, from_logits=False, ignore_class=None).y_pred
    assert pair.tolist() == [[[1, p[0, 0]], [2**-24, 1 - 2**-24]]]
    half = as_two_classes(
        [[0]], np.array([[1e-4]], "float16"), from_logits=False, ignore_class=None
    )
    assert half.y_pred[0, 0, 0] < 1

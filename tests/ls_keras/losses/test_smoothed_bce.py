"""The loss of sigmoids, against Keras's own and against its formula in float64."""

import functools

import keras
import numpy as np
import pytest
from keras import ops
from scipy import special

from copies import NEW, WHOLE, same_config
from gradient import gradient
from ls_base.errors import InputError
from ls_keras.losses import SmoothedBCE
from masked import masked
from tracing import warns_in_graph

B, T, K = 3, 6, 5
PRIOR = [0.05, 0.5, 0.2, 0.9, 0.0]
ALPHAS = [0.0, 0.1, 1.0]


def batch(shape=(B, T, K)):
    rng = np.random.default_rng(0)
    z = (3 * rng.standard_normal(shape)).astype("float32")
    return rng.integers(0, 2, shape), z, (rng.random(shape[:-1]) + 0.1).astype("float32")


def sigmoid(z):
    return special.expit(np.asarray(z, float))


def entries(y, z, alpha, prior=0.5) -> tuple[np.ndarray, np.ndarray]:
    """Returns the losses of the entries and their slopes, in float64, as the paper writes them."""
    y, z = np.asarray(y, float), np.asarray(z, float)
    t = y * (1 - alpha) + alpha * np.asarray(prior, float)
    # −t log p − (1 − t) log(1 − p)
    return t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z), sigmoid(z) - t


def value(loss, *arguments) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(loss(*arguments), "float32"))


@pytest.mark.parametrize("shape", [(B, 1), (B, K), (2, 3, 4, K)], ids=str)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_keras_has_the_same(shape, alpha, from_logits):
    y, z, weights = batch(shape)
    y_pred = z if from_logits else sigmoid(z).astype("float32")
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight", None):
        options = {"from_logits": from_logits, "reduction": reduction}
        theirs = keras.losses.BinaryCrossentropy(label_smoothing=alpha, **options)
        ours = SmoothedBCE(alpha, **options)
        for given in ((), (weights,)):
            expected = value(theirs, y.astype("float32"), y_pred, *given)
            np.testing.assert_allclose(value(ours, y, y_pred, *given), expected, rtol=2e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_keras_masks_alike(reduction):
    y, z, weights = batch()
    keep = np.random.default_rng(1).random((B, T)) < 0.6
    theirs = keras.losses.BinaryCrossentropy(True, 0.1, reduction=reduction)
    ours = SmoothedBCE(0.1, from_logits=True, reduction=reduction)
    for given in ((), (weights,)):
        # Keras multiplies the mask into the weights.
        expected = value(theirs, y.astype("float32"), masked(z, keep), *(w.copy() for w in given))
        np.testing.assert_allclose(value(ours, y, masked(z, keep), *given), expected, rtol=1e-5)


@pytest.mark.parametrize("prior", [None, 0.2, PRIOR], ids=["uniform", "one", "each"])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_formula_and_gradient(alpha, prior):
    y, z, weights = batch()
    losses, slopes = entries(y, z, alpha, 0.5 if prior is None else prior)
    loss = SmoothedBCE(alpha, prior=prior, from_logits=True, reduction=None)
    np.testing.assert_allclose(value(loss, y, z), losses.mean(-1), rtol=1e-5, atol=1e-7)
    total = SmoothedBCE(alpha, prior=prior, from_logits=True, reduction="sum")
    dz = gradient(lambda z: total(y, z, weights), z)
    np.testing.assert_allclose(dz, slopes * weights[..., None] / K, atol=1e-6)


def test_by_hand():
    # t = (.95, .05) for y = (1, 0); log(1 + e²) = 2.1269, log 2 = .6931
    loss = SmoothedBCE(0.1, from_logits=True, reduction=None)
    found = value(loss, [[1, 0]], [[2.0, 0.0]])
    np.testing.assert_allclose(found, [(2.126928 - 1.9 + 0.693147) / 2], rtol=1e-6)


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_any_logit_has_an_exact_loss_and_gradient(y):
    z = np.float32([-1e30, -1e4, -90, -1e-6, 0, 1e-6, 90, 1e4, 1e30])[:, None]
    targets = np.full_like(z, y)
    losses, slopes = entries(targets, z, 0.1)
    loss = SmoothedBCE(0.1, from_logits=True, reduction=None)
    np.testing.assert_allclose(value(loss, targets, z), losses[:, 0], rtol=2e-6)
    dz = gradient(lambda z: ops.sum(loss(targets, z)), z)
    np.testing.assert_allclose(dz, slopes, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float64"])
def test_labels_of_any_dtype(dtype):
    y, z, _ = batch()
    loss = SmoothedBCE(0.1, from_logits=True)
    assert value(loss, y.astype(dtype), z) == value(loss, y.astype("float32"), z)


def test_labels_without_the_last_axis_are_those_of_one_sigmoid():
    y, z, _ = batch((4, 1))
    loss = SmoothedBCE(0.1, from_logits=True)
    assert value(loss, y[:, 0], z) == value(loss, y, z)
    with pytest.raises(InputError, match="a label for each sigmoid"):
        loss([0, 1, 0, 1], np.zeros((4, 2)))


def test_soft_labels_are_targets():
    y, z, _ = batch()
    soft = np.random.default_rng(2).random(y.shape)
    loss = SmoothedBCE(0.2, from_logits=True, reduction=None)
    losses, _ = entries(soft, z, 0.2)
    np.testing.assert_allclose(value(loss, soft.astype("float32"), z), losses.mean(-1), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_ignored_labels_leave_the_mean_of_the_others(dtype):
    y, z, weights = batch()
    counted = np.random.default_rng(3).random(y.shape) < 0.5
    counted[0, 0], counted[0, 1], counted[1, 2:4] = False, [True] + 4 * [False], True
    given = np.where(counted, y, -1).astype(dtype)
    dirty = np.where(counted, z, np.nan)
    losses, slopes = entries(y, z, 0.1)
    number = counted.sum(-1)
    assert len(set(number.ravel())) > 3  # rows of differing counts
    rows = np.where(counted, losses, 0).sum(-1) / np.maximum(number, 1)
    options = {"from_logits": True, "ignore_class": -1}
    loss = SmoothedBCE(0.1, reduction=None, **options)
    np.testing.assert_allclose(value(loss, given, dirty), rows, rtol=1e-5)
    # Rows weigh the same however many labels count; those without any don't.
    mean = value(SmoothedBCE(0.1, **options), given, dirty)
    np.testing.assert_allclose(mean, rows.sum() / (number > 0).sum(), rtol=1e-5)
    # With their number as weights, labels weigh the same.
    total = SmoothedBCE(0.1, reduction="sum", **options)
    np.testing.assert_allclose(value(total, given, dirty, number), losses[counted].sum(), rtol=1e-5)
    dz = gradient(lambda z: total(given, z, weights), dirty)
    expected = np.where(counted, slopes, 0) * (weights / np.maximum(number, 1))[..., None]
    np.testing.assert_allclose(dz, expected, atol=1e-6)


def test_ignored_and_masked():
    y, z, weights = batch()
    keep = np.random.default_rng(4).random((B, T)) < 0.6
    given = y.copy()
    given[:, :, 0], given[:, 1] = -1, -1
    keep[:, 2] = True
    rows = entries(y, z, 0.1)[0][..., 1:].mean(-1)
    counts = keep & (np.arange(T) != 1)
    loss = SmoothedBCE(0.1, from_logits=True, ignore_class=-1)
    found = value(loss, given, masked(z, keep), weights)
    np.testing.assert_allclose(found, (rows * weights)[counts].sum() / counts.sum(), rtol=1e-5)


def test_nothing_that_counts_gives_zero():
    loss = SmoothedBCE(0.1, from_logits=True, ignore_class=(-1, 7))
    assert value(loss, [[-1, 7]], [[np.nan, 1.0]]) == 0


def test_labels_on_another_axis():
    y, z, weights = batch()
    options = {"prior": PRIOR, "from_logits": True, "ignore_class": -1}
    given = np.where(np.random.default_rng(5).random(y.shape) < 0.3, -1, y)
    expected = value(SmoothedBCE(0.1, **options), given, z, weights)
    moved = (np.moveaxis(array, -1, 1) for array in (given, z))
    found = value(SmoothedBCE(0.1, axis=1, **options), *moved, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("wrong", [2.0, -1.0, np.nan, 1.1])
def test_labels_out_of_range_raise_or_make_their_loss_nan(wrong, traced):
    y, z, _ = batch()
    y = y.astype("float32")
    y[1, 2, 3], y[0, 0, 0] = wrong, -100
    loss = SmoothedBCE(0.1, from_logits=True, ignore_class=-100, reduction=None)
    with pytest.raises(InputError, match=r"labels in \[0, 1\] or ignore_class=-100.*among 1 "):
        loss(y, z)
    with warns_in_graph(traced, "labels outside"):
        found = traced(loss, y, z)
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 2]]


def test_logits_without_from_logits_raise_or_give_nan(traced):
    y, z, _ = batch()
    with pytest.raises(InputError, match="from_logits=True"):
        SmoothedBCE(0.1)(y, z)
    p = sigmoid(z).astype("float32")
    p[1, 2, 3] = 1.5
    with warns_in_graph(traced, "1 of 90 entries outside"):
        found = traced(SmoothedBCE(0.1, reduction=None), y, p)
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 2]]
    keep = np.ones((B, T), bool)
    keep[1, 2] = False
    assert np.isfinite(value(SmoothedBCE(0.1), y, masked(p, keep)))


def test_saturated_probabilities_are_clipped_as_keras_clips_them():
    y, p = np.float32([[1, 0, 1, 0]]), np.float32([[0, 1, 1, 0]])
    theirs = keras.losses.BinaryCrossentropy(label_smoothing=0.1)
    np.testing.assert_allclose(value(SmoothedBCE(0.1), y, p), value(theirs, y, p), rtol=1e-5)


def test_the_logits_of_a_sigmoid_are_used():
    y, z = np.zeros((1, 1)), ops.convert_to_tensor(np.float32([[50.0]]))
    p = keras.activations.sigmoid(z)
    if keras.config.backend() == "jax":
        return  # which takes no notes
    np.testing.assert_allclose(value(SmoothedBCE(0.0), y, p), 50, rtol=1e-6)
    with pytest.warns(UserWarning, match="the output of a sigmoid"):
        found = value(SmoothedBCE(0.0, from_logits=True), y, p)
    np.testing.assert_allclose(found, 50, rtol=1e-6)
    softmax = keras.activations.softmax(ops.convert_to_tensor(np.float32([[1.0, 3.0]])))
    p = ops.convert_to_numpy(softmax)
    expected = value(SmoothedBCE(0.1), np.zeros((1, 2)), p)
    assert value(SmoothedBCE(0.1), np.zeros((1, 2)), softmax) == expected


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bits_are_computed_in_32(dtype):
    y, z, weights = batch()
    half = ops.cast(z, dtype)
    exact = value(SmoothedBCE(0.1, from_logits=True), y, ops.cast(half, "float32"), weights)
    assert value(SmoothedBCE(0.1, from_logits=True), y, half, weights) == exact
    found = SmoothedBCE(0.1, from_logits=True, dtype=dtype)(y, half, weights)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    assert float(found) == pytest.approx(exact, rel=1e-2)


@pytest.mark.parametrize("how", WHOLE | NEW)
@pytest.mark.parametrize("prior", [None, 0.2, PRIOR], ids=["uniform", "one", "each"])
def test_a_copy_is_the_same(how, prior):
    y, z, weights = batch()
    options = {"ignore_class": (7, -1), "axis": 2, "dtype": "float32", "name": "mine"}
    loss = SmoothedBCE(0.3, prior=prior, from_logits=True, reduction="sum", **options)
    again = (WHOLE | NEW)[how](loss)
    assert same_config(again, loss)
    assert value(again, y, z, weights) == value(loss, y, z, weights)


@pytest.mark.parametrize("prior", [-0.1, 1.1, np.nan, [], [[0.5]], [0.5, 2.0], "half"], ids=str)
def test_a_prior_that_is_none_is_refused(prior):
    with pytest.raises(InputError, match="Expected prior"):
        SmoothedBCE(0.1, prior=prior)


def test_an_alpha_for_each_label(rng):
    y, z = rng.integers(0, 2, (6, 3)).astype("float32"), rng.normal(size=(6, 3)).astype("float32")
    alphas = [0.0, 0.2, 0.5]
    singly = [
        value(SmoothedBCE(a, from_logits=True, reduction=None), y[:, [k]], z[:, [k]])
        for k, a in enumerate(alphas)
    ]
    loss = SmoothedBCE(alphas, from_logits=True, reduction=None)
    np.testing.assert_allclose(value(loss, y, z), np.mean(singly, axis=0), rtol=1e-6)
    again = SmoothedBCE.from_config(loss.get_config())
    np.testing.assert_array_equal(again.alpha, alphas)
    moved = SmoothedBCE(alphas, from_logits=True, reduction=None, axis=0)
    np.testing.assert_allclose(value(moved, y.T.copy(), z.T.copy()), value(loss, y, z), rtol=1e-6)


def test_alphas_that_do_not_fit_are_told():
    with pytest.raises(InputError, match="alpha for each of the 3 labels.*Received: 2"):
        SmoothedBCE([0.1, 0.2])(np.zeros((4, 3)), np.full((4, 3), 0.5))
    with pytest.raises(InputError, match="no alpha per example"):
        SmoothedBCE("per-example")


def test_a_prior_of_another_number_is_refused():
    y, z, _ = batch()
    with pytest.raises(
        InputError, match="prior for each of the 5 labels, or one for all. Received: 2"
    ):
        SmoothedBCE(0.1, prior=[0.5, 0.2], from_logits=True)(y, z)


@pytest.mark.parametrize("from_logits", [True, False])
def test_traced(from_logits, traced):
    y, z, weights = batch()
    y[0, 0] = -1
    y_pred = z if from_logits else sigmoid(z).astype("float32")
    loss = SmoothedBCE(0.1, prior=PRIOR, from_logits=from_logits, ignore_class=-1)
    found = traced(loss, y, y_pred, weights)
    np.testing.assert_allclose(found, value(loss, y, y_pred, weights), rtol=1e-5)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_a_compiled_fit_is_that_of_keras(activation, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 4)).astype("float32")
    y = (x @ rng.standard_normal((4, 3)) > 0).astype("float32")
    from_logits, found = activation is None, []
    theirs = keras.losses.BinaryCrossentropy(from_logits, label_smoothing=0.2)
    for loss in (SmoothedBCE(0.2, from_logits=from_logits), theirs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation=activation)])
        model.compile(keras.optimizers.SGD(1.0), loss)
        history = model.fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0)
        found.append((history.history["loss"], model.get_weights()[0]))
        if not isinstance(loss, SmoothedBCE):
            continue
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert same_config(loaded.loss, model.loss)
        expected = model.evaluate(x, y, verbose=0)
        assert loaded.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)
    (ours, our_kernel), (others, their_kernel) = found
    np.testing.assert_allclose(ours, others, rtol=1e-5)
    np.testing.assert_allclose(our_kernel, their_kernel, atol=1e-5)
    assert ours[-1] < ours[0]


@pytest.mark.tensorflow
def test_replicas_add_up():
    import tensorflow as tf

    y, z, weights = (array[:2] for array in batch())
    loss = SmoothedBCE(0.3, from_logits=True, reduction="sum")
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def part(array):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(array[[context.replica_id_in_sync_group]])
        )

    losses = tf.function(functools.partial(strategy.run, loss))((part(y), part(z), part(weights)))
    total = sum(float(one) for one in strategy.experimental_local_results(losses))
    assert total == pytest.approx(float(value(loss, y, z, weights)), rel=1e-5)

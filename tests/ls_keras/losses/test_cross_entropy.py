import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from gradient import gradient
from ls_base.errors import InputError
from ls_keras.losses import Prior, Uniform, Unigram, smooth_labels
from ls_keras.losses import smoothed_cross_entropy as smoothed


def dense_reference(targets, z):
    """−Σ_k targets_k log softmax(z)_k and its gradient, in float64."""
    z = np.asarray(z, "float64")
    shifted = z - z.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    safe = np.where(targets == 0, 0, log_p)
    return -(targets * safe).sum(-1), np.exp(log_p) * targets.sum(-1, keepdims=True) - targets


def random(shape, num_classes, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    z = (scale * rng.standard_normal((*shape, num_classes))).astype("float32")
    return rng.integers(0, num_classes, shape), z


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("num_classes", "scale"), [(2, 3.0), (50_000, 3.0), (10, 1e4)])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_equals_keras_on_one_hot(dtype, num_classes, scale, alpha):
    labels, z = random((4,), num_classes, scale=scale)
    if scale == 1e4:
        z = np.where(z > 0, 1e4, -1e4).astype("float32")
    z = ops.cast(z, dtype)
    one_hot = (labels[:, None] == np.arange(num_classes)).astype("float32")
    targets = (1 - alpha) * one_hot.astype(float) + alpha / num_classes

    def theirs(z):
        return ops.sum(
            keras.losses.categorical_crossentropy(
                one_hot, ops.cast(z, "float32"), from_logits=True, label_smoothing=alpha
            )
        )

    def ours(z):
        return ops.sum(smoothed(labels, z, alpha, from_logits=True))

    np.testing.assert_allclose(float(ours(z)), float(theirs(z)), rtol=2e-5)
    np.testing.assert_allclose(
        gradient(ours, z),
        # Of 50,000 classes, Keras's own on PyTorch is 1e-5 from the exact one.
        dense_reference(targets, ops.convert_to_numpy(ops.cast(z, "float32")))[1],
        rtol=1e-4,
        atol=1e-6 if dtype == "float32" else 4e-3,  # The gradient has the logits' dtype.
    )


def test_probabilities_equal_keras():
    labels, z = random((6,), 5)
    p = ops.convert_to_numpy(ops.softmax(z)) * 2.0  # Keras normalizes.
    p[0] = [0, 0, 1, 0, 0]
    one_hot = np.eye(5, dtype="float32")[labels]
    theirs = keras.losses.categorical_crossentropy(one_hot, p, label_smoothing=0.2)
    for y_true in (labels, labels[:, None], one_hot):
        ours = smoothed(y_true, p, 0.2)
        np.testing.assert_allclose(
            ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), rtol=1e-5
        )
    dz = gradient(lambda p: ops.sum(smoothed(labels, p, 0.2)), p)
    expected = gradient(
        lambda p: ops.sum(keras.losses.categorical_crossentropy(one_hot, p, label_smoothing=0.2)), p
    )
    np.testing.assert_allclose(dz, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.tensorflow
def test_recovers_the_logits_of_a_softmax():
    import tensorflow as tf

    z = tf.constant([[200.0, 0.0, -200.0]])
    expected = float(smoothed([2], z, 0.1, from_logits=True)[0])
    assert expected > 300
    assert float(smoothed([2], keras.activations.softmax(z), 0.1)[0]) == expected
    traced = tf.function(lambda z: smoothed([2], tf.nn.softmax(z), 0.1))
    assert float(traced(z)[0]) == expected


def test_dense_targets_that_do_not_sum_to_one_as_keras():
    _, z = random((4,), 3)
    targets = np.array([[1, 1, 0], [0, 0, 0], [0.2, 0.1, 0], [0, 0, 3]], "float32")
    theirs = keras.losses.categorical_crossentropy(
        targets, z, from_logits=True, label_smoothing=0.1
    )
    ours = smoothed(targets, z, 0.1, from_logits=True)
    np.testing.assert_allclose(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), rtol=1e-5)
    dz = gradient(lambda z: ops.sum(smoothed(targets, z, 0.1, from_logits=True)), z)
    np.testing.assert_allclose(dz, dense_reference(targets * 0.9 + 0.1 / 3, z)[1], atol=1e-6)


def test_off_target_convention():
    labels, z = random((5,), 4)
    epsilon = 0.3
    targets = np.where(np.eye(4)[labels] == 1, 1 - epsilon, epsilon / 3)
    alpha = ls_keras.losses.alpha_from_off_target(epsilon, 4)
    ours = smoothed(labels, z, alpha, from_logits=True)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours), dense_reference(targets, z)[0], rtol=1e-5
    )


def test_padding_convention_through_exclude():
    # ε/(V − 2) off the target, nothing on the padding class.
    V, epsilon, pad = 6, 0.2, 5
    targets = np.full((V - 1, V), epsilon / (V - 2))
    targets[:, pad] = 0
    targets[range(V - 1), range(V - 1)] = 1 - epsilon
    alpha = epsilon * (V - 1) / (V - 2)
    built = smooth_labels(np.arange(V - 1), alpha, V, Uniform(exclude=[pad]))
    np.testing.assert_allclose(ops.convert_to_numpy(built), targets, atol=1e-6)


@pytest.mark.peers
@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.9])
def test_equals_pytorch(alpha):
    import torch

    labels, z = random((8,), 11)
    labels[[2, 5]] = -100
    theirs_z = torch.tensor(z, requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(
        theirs_z, torch.tensor(labels), label_smoothing=alpha, ignore_index=-100
    )
    theirs.backward()
    loss = ls_keras.losses.SmoothedCE(alpha, from_logits=True, ignore_class=-100)
    np.testing.assert_allclose(float(loss(labels, z)), float(theirs.detach()), rtol=1e-5)
    dz = gradient(lambda z: loss(labels, z), z)
    np.testing.assert_allclose(dz, theirs_z.grad.numpy(), atol=1e-6)


def test_neighborhood_by_hand():
    # a b c: a has b (5) and c (2); b has a and c (5 each); the mass of c goes to b and a.
    targets = ops.convert_to_numpy(smooth_labels([[0, 1, 2]], 0.7, 3, "neighborhood"))
    np.testing.assert_allclose(
        targets[0], [[0.3, 0.5, 0.2], [0.35, 0.3, 0.35], [0.2, 0.5, 0.3]], atol=1e-6
    )


def test_minus_infinity_marks_masked_classes():
    z = np.array([[1.0, -np.inf, 0.0]], "float32")
    value = np.log(np.e + 1) - 1
    for y_true in ([0], [[1.0, 0.0, 0.0]]):
        plain = smoothed(y_true, z, 0.0, from_logits=True)
        np.testing.assert_allclose(ops.convert_to_numpy(plain), [value], rtol=1e-6)
        dz = gradient(lambda z, y=y_true: ops.sum(smoothed(y, z, 0.0, from_logits=True)), z)
        np.testing.assert_allclose(dz, [[-0.26894, 0, 0.26894]], atol=1e-5)
        spared = smoothed(y_true, z, 0.2, smoothing=Uniform(exclude=[1]), from_logits=True)
        np.testing.assert_allclose(ops.convert_to_numpy(spared), [value + 0.1], rtol=1e-6)
    assert np.isinf(ops.convert_to_numpy(smoothed([0], z, 0.1, from_logits=True))).all()


def test_ignored_positions_may_hold_nan():
    z = np.array([[np.nan, np.nan], [np.inf, 0.0], [1.0, 0.0]], "float32")
    ours = smoothed([7, 7, 0], z, 0.1, from_logits=True, ignore_class=7)
    np.testing.assert_allclose(ops.convert_to_numpy(ours), [0, 0, 0.363262], rtol=1e-5)
    dz = gradient(
        lambda z: ops.sum(smoothed([7, 7, 0], z, 0.1, from_logits=True, ignore_class=7)), z
    )
    np.testing.assert_allclose(dz[:2], 0)
    np.testing.assert_allclose(dz[2], [-0.21894, 0.21894], atol=1e-5)


def test_large_ids_survive_16_bit_logits():
    z = np.zeros((2, 5000), "float32")
    z[0, 4099], z[1, 257] = 20, 20
    ours = smoothed([4099, 257], ops.cast(z, "bfloat16"), 0.0, from_logits=True)
    assert (ops.convert_to_numpy(ours) < 1e-4).all()


def test_smooth_labels_of_dense_and_ignored():
    dense = smooth_labels(np.array([[0.5, 0.5, 0.0]], "float32"), 0.3)
    np.testing.assert_allclose(ops.convert_to_numpy(dense), [[0.45, 0.45, 0.1]], atol=1e-6)
    rows = ops.convert_to_numpy(smooth_labels([1, 9], 0.3, 3, ignore_class=9))
    np.testing.assert_allclose(rows, [[0.1, 0.8, 0.1], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("y_true", "shape", "options", "message"),
    [
        (
            [0],
            (1, 3),
            {"alpha": float("nan")},
            "alpha to be a finite number .* of at most 1",
        ),
        ([0], (1, 3), {"alpha": "0.1"}, "alpha to be a finite number"),
        ([0], (1, 1), {}, "K ≥ 2"),
        ([3], (1, 3), {}, r"labels in \[0, 3\).*Received: 3"),
        ([-1], (1, 3), {}, "Received: -1"),
        ([0, 1], (1, 3), {}, "y_true of shape"),
        ([[[0]]], (1, 3), {}, "y_true of shape"),
        ([[0.0, 1.0, 0.0]], (1, 3), {"ignore_class": 0}, "sample_weight"),
        ([0], (1, 3), {"smoothing": "neighborhood"}, r"\(batch, time\)"),
        ([[0.0, 1.0, 0.0]], (1, 3), {"smoothing": "neighborhood"}, "dense targets"),
        ([0], (1, 3), {"smoothing": Prior([0.5, 0.5])}, "Received: 2 probabilities"),
        ([0], (1, 3), {"smoothing": Uniform(exclude=[3])}, r"exclude in \[0, 3\)"),
        ([0], (1, 3), {"axis": 2}, "axis"),
    ],
)
def test_mistakes(y_true, shape, options, message):
    with pytest.raises(InputError, match=message):
        smoothed(np.array(y_true), np.ones(shape, "float32"), from_logits=True, **options)


@pytest.mark.parametrize(
    "arguments", [([0],), ([0], 0.1, 1), ([3], 0.1, 3), ([[0.5, 0.5]], 0.1, 3)]
)
def test_smooth_labels_mistakes(arguments):
    with pytest.raises(InputError, match="Received"):
        smooth_labels(np.array(arguments[0]), *arguments[1:])


@pytest.mark.tensorflow
def test_the_logits_of_a_softmax_are_recovered():
    import tensorflow as tf

    z = np.array([[200.0, 0.0, -200.0], [0.0, 1.0, 2.0]], "float32")
    labels = [2, 0]
    expected = smoothed(labels, z, 0.1, from_logits=True)
    assert expected[0] > 300

    def ours(z):
        return smoothed(labels, keras.activations.softmax(z), 0.1)

    for function in (ours, tf.function(ours)):
        np.testing.assert_allclose(function(tf.constant(z)), expected, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_outputs_mean_the_same_whatever_made_them(activation, compiled):
    """Probabilities are normalized; notes that Keras left on them change no meaning."""
    labels, z = random((4,), 3)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation(activation)])
    model.compile(loss=ls_keras.SmoothedCE(0.2), run_eagerly=not compiled)
    p = 1 / (1 + np.exp(-z.astype(float))) if activation == "sigmoid" else np.exp(z.astype(float))
    log_p = np.log(p / p.sum(-1, keepdims=True))
    expected = -(0.8 * log_p[range(4), labels] + 0.2 * log_p.mean(-1)).mean()
    assert model.evaluate(z, labels, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_sigmoid_outputs_is_that_of_their_shares():
    z = np.zeros((2, 2), "float32")  # where a softmax would give the same numbers
    dz = gradient(lambda z: ops.sum(smoothed([0, 1], keras.activations.sigmoid(z), 0.0)), z)
    np.testing.assert_allclose(dz, [[-0.25, 0.25], [0.25, -0.25]], atol=1e-6)


def test_logits_far_from_zero_lose_no_digits():
    labels, z = random((8,), 100)
    z = np.round(z * 64) / 64  # exact also beside 1e4 in float32
    for smoothing in ("uniform", Uniform([3]), Prior(np.arange(100) / 4950), Unigram(range(100))):
        options = {"smoothing": smoothing, "from_logits": True}
        near = ops.convert_to_numpy(smoothed(labels, z, 0.1, **options))
        far = ops.convert_to_numpy(smoothed(labels, z + np.float32(1e4), 0.1, **options))
        np.testing.assert_allclose(far, near, rtol=1e-6)


@pytest.mark.parametrize("num_classes", [10, 255, 256, 1003])
def test_compiled_logits_far_from_zero_lose_less_than_lies_between_them(traced, num_classes):
    """Against float64; near 1e4 the logits themselves lie 1e-3 apart."""
    labels, z = random((64,), num_classes)
    z = z + np.float32(1e4)
    run = lambda z: smoothed(labels, z, 0.1, from_logits=True)  # noqa: E731
    found = ops.convert_to_numpy(traced(run, z))
    expected, _ = dense_reference(0.9 * np.eye(num_classes)[labels] + 0.1 / num_classes, z)
    np.testing.assert_allclose(found, expected, atol=3e-5 if num_classes >= 256 else 3e-6)


def test_a_model_compiled_with_the_function_is_loaded(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="softmax")])
    model.compile("sgd", loss=smoothed)
    x, y = np.eye(3, dtype="float32"), np.arange(3)
    expected = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)
    assert keras.losses.get(keras.losses.serialize(smoothed)) is smoothed


def test_labels_out_of_range_poison_a_compiled_loss_alone(traced):
    z = np.float32([[2, 0, 0, 0]] * 4)
    y = np.array([0, 7, -1, -100])

    def losses(y_true, y_pred):
        return smoothed(y_true, y_pred, from_logits=True, ignore_class=-100)

    found = traced(losses, y, z)
    assert np.isnan(found).tolist() == [False, True, True, False]
    assert found[3] == 0
    with pytest.raises(InputError, match="2 labels out of range"):
        losses(y, z)


def test_labels_out_of_range_poison_compiled_targets(traced):
    made = traced(lambda y: smooth_labels(y, 0.1, 4), np.array([1, 4]))
    assert np.isnan(made).all(axis=-1).tolist() == [False, True]


def test_logits_without_from_logits_are_told(traced):
    z = np.float32([[2, -1, 0], [0.5, 0.5, 0]])
    with pytest.raises(InputError, match="from_logits=True. Received: y_pred with 1 of 2"):
        smoothed([0, 0], z)
    found = traced(smoothed, np.array([0, 0]), z)
    assert np.isnan(found).tolist() == [True, False]
    # Where nothing counts there may be anything.
    assert float(smoothed([9, 0], z, ignore_class=9)[0]) == 0


def test_a_softmax_said_to_be_logits_is_warned_of():
    p = keras.activations.softmax(ops.convert_to_tensor(np.float32([[2, 0, 1]])))
    if not hasattr(p, "_keras_logits"):
        pytest.skip("the backend's tensors keep no notes")
    with pytest.warns(UserWarning, match="output of a softmax"):
        loss = smoothed([0], p, 0.0, from_logits=True)
    assert float(loss[0]) == pytest.approx(float(np.log(np.exp([2, 0, 1]).sum()) - 2), rel=1e-5)


def test_one_prediction_a_row_is_refused():
    with pytest.raises(InputError, match=r"a row of K classes.*y_pred of shape \(3,\)"):
        smoothed(np.float32([0, 1, 1]), np.float32([0.1, 0.9, 0.8]))


def test_smooth_labels_reads_what_the_loss_reads():
    one_hot = np.eye(3, dtype=int)[[0, 2]]
    expected = ops.convert_to_numpy(smooth_labels([0, 2], 0.3, 3))
    for y_true, num_classes in ((one_hot, None), (one_hot * 1.0, None), ([0.0, 2.0], 3)):
        made = smooth_labels(np.array(y_true), 0.3, num_classes)
        np.testing.assert_allclose(ops.convert_to_numpy(made), expected, atol=1e-6)
    for wrong in ([0, 2], [[1, 1, 0]], 1, 1.0, [[1], [1]], [[1.0], [1.0]]):
        with pytest.raises(InputError, match="Expected num_classes for labels"):
            smooth_labels(np.array(wrong), 0.3)


@pytest.mark.parametrize("row", [0.0, np.nan])
def test_probabilities_that_do_not_count_may_be_anything(row):
    p = np.float32([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    with_more = np.concatenate([p, np.full((1, 3), row, "float32")])
    loss = ls_keras.SmoothedCE(0.1, ignore_class=-1, reduction="sum")
    expected = gradient(lambda p: loss([0, 2], p), p)
    found = gradient(lambda p: loss([0, 2, -1], p), with_more)
    np.testing.assert_allclose(found[:2], expected, rtol=1e-6)
    np.testing.assert_array_equal(found[2], np.zeros(3))


@pytest.mark.parametrize(
    ("smoothing", "q"), [(Uniform(), [1 / 3] * 3), (Unigram([1, 2, 3]), [2 / 9, 3 / 9, 4 / 9])]
)
def test_the_masses_of_labels_are_as_exact_as_the_predictions(smoothing, q):
    """In float32, 1 − 0.1 is off by 2.4e-8: of logits of 1,000, 2.4e-5."""
    if keras.backend.result_type("float64", "float32") != "float64":
        pytest.skip("Keras makes float32 of float64 on this backend")
    z = np.array([[0.0, 1000.0, 3.0]])
    expected = 1000 - 0.1 * (q @ z[0])  # log Σ exp z is 1,000
    z = ops.convert_to_tensor(z, dtype="float64")
    found = smoothed([0], z, 0.1, smoothing=smoothing, from_logits=True)
    assert float(found[0]) == pytest.approx(expected, rel=1e-12)

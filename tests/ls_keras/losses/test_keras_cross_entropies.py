"""`SmoothedCE` beside Keras's own cross-entropies: α = 0 is the one, uniform smoothing the other.

Two tables: what the loss of a position is, and how masks, weights and reductions join losses.
Where Keras refuses what `SmoothedCE` takes, it gets the same in a form that it accepts.
"""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from ls_keras import SmoothedCE
from masked import masked

pytestmark = pytest.mark.tables

B, T, K = 3, 4, 5
IGNORED = 1
TORCH = keras.config.backend() == "torch"
# The dtypes of predictions and of the loss; Keras computes in the second, 16 bits included.
TOLERANCES = {
    ("float32", "float32"): 1e-5,
    ("float16", "float32"): 1e-5,
    ("bfloat16", "float32"): 1e-5,
    ("float16", "float16"): 4e-3,
    ("bfloat16", "bfloat16"): 3e-2,
}
REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None]
# Is the loss of integers or of one-hot targets, and which class is ignored.
LOSSES = {
    "sparse": lambda **options: keras.losses.SparseCategoricalCrossentropy(**options),
    "ignoring": lambda **options: keras.losses.SparseCategoricalCrossentropy(
        ignore_class=IGNORED, **options
    ),
    "smoothed": lambda **options: keras.losses.CategoricalCrossentropy(
        label_smoothing=0.1, **options
    ),
}
OURS = {
    "sparse": lambda **options: SmoothedCE(0.0, **options),
    "ignoring": lambda **options: SmoothedCE(0.0, ignore_class=IGNORED, **options),
    "smoothed": lambda **options: SmoothedCE(0.1, **options),
}


def batch(positions=(B, T)):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(*positions, K)).astype("float32") * 2
    return np.arange(np.prod(positions)).reshape(positions) % K, z


def one_hot(labels):
    return np.eye(K, dtype="float32")[labels]


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@pytest.mark.parametrize("dtypes", TOLERANCES, ids="-".join)
@pytest.mark.parametrize("axis", [-1, 2, 1])
@pytest.mark.parametrize("from_logits", [True, False])
def test_the_loss_of_a_position(dtypes, axis, from_logits):
    labels, z = batch()
    y_pred = z if from_logits else numbers(ops.softmax(z)) * 2  # Keras normalizes.
    y_pred = ops.cast(np.moveaxis(y_pred, -1, axis), dtypes[0])
    options = {"from_logits": from_logits, "axis": axis, "reduction": None, "dtype": dtypes[1]}
    dense = one_hot(labels)
    soft = 0.7 * dense + 0.3 * np.roll(dense, 1, axis=-1)
    for alpha, (targets, forms) in itertools.product(
        (0.0, 0.1), ((dense, (labels, labels[..., None], dense)), (soft, (soft,)))
    ):
        # Its label_smoothing is that of as many classes as the last axis has, whatever `axis` is.
        last = axis != 1
        theirs = keras.losses.CategoricalCrossentropy(
            label_smoothing=alpha if last else 0.0, **options
        )
        smoothed = targets if last else (1 - alpha) * targets + alpha / K
        expected = theirs(np.moveaxis(smoothed, -1, axis), y_pred)
        for y_true in forms:
            given = y_true if y_true.ndim < 3 else np.moveaxis(y_true, -1, axis)
            found = SmoothedCE(alpha, **options)(given, y_pred)
            assert keras.backend.standardize_dtype(found.dtype) == dtypes[1]
            tolerance = TOLERANCES[dtypes]
            np.testing.assert_allclose(
                numbers(found), numbers(expected), rtol=tolerance, atol=tolerance
            )
    if axis != 1 or TORCH:  # the others' sparse losses know the last axis only
        if not from_logits:  # which on TensorFlow are clipped first
            y_pred = ops.softmax(ops.cast(np.moveaxis(z, -1, axis), dtypes[0]), axis=axis)
            y_pred = ops.convert_to_tensor(ops.convert_to_numpy(y_pred))  # without a note of z
        expected = keras.losses.SparseCategoricalCrossentropy(**options)(labels, y_pred)
        found = SmoothedCE(0.0, **options | {"reduction": "none"})(labels, y_pred)
        np.testing.assert_allclose(
            numbers(found), numbers(expected), rtol=tolerance, atol=tolerance
        )


def weights_of(positions):
    """Yields sample weights of every shape, and the same as Keras accepts them."""
    full = np.random.default_rng(1).random(positions).astype("float32") + 0.1
    first = full.reshape(len(full), -1)[:, 0]
    column = first.reshape(len(first), *[1] * (len(positions) - 1))
    yield None, None
    yield np.float32(0.5), np.float32(0.5)
    yield full, full
    yield full[..., None], full[..., None]
    yield first, column
    yield column, column
    yield full[:1], full[:1]


def as_keras_accepts(weights, positions, with_mask):
    """Returns a copy for Keras, whose masks are multiplied into it in place on PyTorch."""
    if weights is None or not (TORCH and with_mask):
        return weights
    if weights.ndim <= len(positions):
        weights = np.broadcast_to(weights, positions)
    return ops.convert_to_tensor(weights.copy())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("positions", [(B,), (B, T)], ids=str)
@pytest.mark.parametrize("kind", LOSSES)
def test_masks_weights_and_reductions(kind, positions, reduction):
    labels, z = batch(positions)
    options = {"from_logits": True, "reduction": reduction}
    theirs, ours = LOSSES[kind](**options), OURS[kind](**options)
    y_true = one_hot(labels) if kind == "smoothed" else labels
    plain = ops.convert_to_tensor(z)
    for keep in (None, labels != 2):
        y_pred = plain if keep is None else masked(plain, keep)
        with_mask = keep is not None or kind == "ignoring"
        for weights, accepted in weights_of(positions):
            accepted = as_keras_accepts(accepted, positions, with_mask)
            expected = numbers(theirs(y_true, y_pred, accepted))
            before = None if weights is None else np.array(weights)
            found = numbers(ours(labels, y_pred, weights))
            if weights is not None:
                np.testing.assert_array_equal(weights, before)
            if len(positions) == 1 and expected.shape == (B, 1):
                expected = expected[:, 0]  # of a column of weights Keras makes one of losses
            np.testing.assert_allclose(
                found, expected, rtol=1e-5, err_msg=f"{keep} {np.shape(weights)}"
            )


@pytest.mark.parametrize("kind", LOSSES)
def test_fit_and_evaluate(kind):
    labels, _ = batch((4, T))
    tokens = np.arange(4 * T).reshape(4, T) % 5  # 0 is masked
    weights = np.random.default_rng(1).random((4, T)).astype("float32")

    def trained(loss, y):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((T,), dtype="int32")
        embedded = keras.layers.Embedding(5, 3, mask_zero=True)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(K, activation="softmax")(embedded))
        model.compile(keras.optimizers.SGD(0.5), loss)
        history = model.fit(
            tokens, y, 2, sample_weight=weights.copy(), shuffle=False, verbose=0
        ).history
        scored = model.evaluate(tokens, y, 2, sample_weight=weights.copy(), verbose=0)
        return [*model.get_weights(), history["loss"][0], scored]

    expected = trained(LOSSES[kind](), one_hot(labels) if kind == "smoothed" else labels)
    for one, other in zip(trained(OURS[kind](), labels), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.losses import SmoothedCE, Uniform, Unigram

B, T, K = 4, 5, 6


def batch(seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(B, T, K)).astype("float32")
    return rng.integers(0, K, (B, T)), z, rng.random((B, T)).astype("float32")


def classifier(**compiled):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(K, name="logits")])
    model.compile("sgd", **compiled)
    return model


def test_several_ignored_classes_are_one_mask():
    labels, z, _ = batch()
    ours = SmoothedCE(0.1, from_logits=True, ignore_class=(0, 4), reduction="mean")
    kept = ~np.isin(labels, (0, 4))
    expected = SmoothedCE(0.1, from_logits=True)(labels[kept], z[kept])
    assert float(ours(labels, z)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_everything_ignored_gives_zero(reduction):
    _, z, _ = batch()
    loss = SmoothedCE(0.1, from_logits=True, ignore_class=-1, reduction=reduction)
    assert float(loss(np.full((B, T), -1), z)) == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_ids_survive_a_16_bit_loss(dtype):
    z = np.full((3, 3000), -20, "float32")
    labels = [2049, 257, 2999]
    z[range(3), labels] = 20
    loss = SmoothedCE(0, from_logits=True, dtype=dtype)(labels, z)
    assert keras.backend.standardize_dtype(loss.dtype) == dtype
    assert float(loss) < 1e-3


@pytest.mark.parametrize("alpha", [float("nan"), -0.1, 1.5, "0.1", None])
def test_alpha(alpha):
    with pytest.raises(InputError, match="alpha"):
        SmoothedCE(alpha)


def test_other_arguments():
    with pytest.raises(InputError, match="ignore_class"):
        SmoothedCE(ignore_class=0.5)
    with pytest.raises(InputError, match="smoothing"):
        SmoothedCE(smoothing="unigrams")
    with pytest.raises(ValueError, match="reduction"):
        SmoothedCE(reduction="median")


def test_fits_with_integer_labels():
    model = classifier(loss=SmoothedCE(0.1, from_logits=True))
    x = np.eye(3, dtype="float32").repeat(8, axis=0)
    y = np.arange(3).repeat(8)
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    one_hot = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = float(one_hot(np.eye(K, dtype="float32")[y], model.predict(x, verbose=0)))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("imports", ["import keras, ls_keras", "import ls_keras, keras"])
def test_loads_in_a_fresh_process(tmp_path, imports):
    path = str(tmp_path / "model.keras")
    smoothing = Unigram(np.array([4, 2, 1, 0, 0, 0]), exclude=[5])
    model = classifier(loss=SmoothedCE(0.25, smoothing=smoothing, from_logits=True, ignore_class=5))
    x, y = np.ones((2, 3), "float32"), np.array([0, 1])
    expected = model.evaluate(x, y, verbose=0)
    model.save(path)
    code = (
        f"{imports}\nimport numpy as np\n"
        f"model = keras.saving.load_model({path!r})\n"
        "print(type(model.loss).__name__, model.loss.alpha, model.loss.smoothing.counts[0])\n"
        "print(model.evaluate(np.ones((2, 3), 'float32'), np.array([0, 1]), verbose=0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[-2:]
    assert first == "SmoothedCE 0.25 4.0"
    assert float(second) == pytest.approx(expected, rel=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "smoothing", ["uniform", "neighborhood", Uniform([0]), Unigram([3] * 5 + [9])]
)
def test_same_in_every_mode_of_tensorflow(smoothing):
    import tensorflow as tf

    labels, z, weights = batch()
    labels[0, 3:] = 0
    loss = SmoothedCE(0.3, smoothing=smoothing, from_logits=True, ignore_class=0, reduction="sum")

    def step(labels, z, weights):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = loss(labels, z, weights)
        return value, tape.gradient(value, z)

    arguments = tf.constant(labels), tf.constant(z), tf.constant(weights)
    value, dz = step(*arguments)
    unknown = [
        tf.TensorSpec((None, None)),
        tf.TensorSpec((None, None, K)),
        tf.TensorSpec((None,) * 2),
    ]
    unknown[0] = tf.TensorSpec((None, None), "int64")
    for mode in (
        tf.function(step),
        tf.function(step, jit_compile=True),
        tf.function(step, input_signature=unknown),
    ):
        graph_value, graph_dz = mode(*arguments)
        np.testing.assert_allclose(graph_value, value, rtol=1e-5)
        np.testing.assert_allclose(graph_dz, dz, atol=1e-6)


@pytest.mark.tensorflow
def test_second_derivative():
    import tensorflow as tf

    labels, z = tf.constant([0, 2]), tf.constant([[1.0, 0.0, -1.0], [0.5, 0.2, 0.1]])
    for jit_compile in (False, True):

        @tf.function(jit_compile=jit_compile)
        def hessian(z):
            with tf.GradientTape() as outer:
                outer.watch(z)
                with tf.GradientTape() as inner:
                    inner.watch(z)
                    value = SmoothedCE(0.1, from_logits=True, reduction="sum")(labels, z)
                first = inner.gradient(value, z)[:, 0]
            return outer.gradient(first, z)

        p = tf.nn.softmax(z).numpy()
        expected = p[:, :1] * (np.eye(3)[:1] - p)
        np.testing.assert_allclose(hessian(z), expected, atol=1e-6)


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_mixed_bfloat16(jit_compile):
    inputs = keras.Input((3,))
    logits = keras.layers.Dense(300, dtype="mixed_bfloat16")(inputs)
    model = keras.Model(inputs, logits)
    model.compile("sgd", SmoothedCE(0.1, from_logits=True), jit_compile=jit_compile)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y = np.arange(290, 298)
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(
        np.eye(300, dtype="float32")[y], ops.cast(model(x), "float32")
    )
    # XLA may keep the logits in float32 where they are rounded to bfloat16 otherwise.
    assert model.train_on_batch(x, y) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.tensorflow
@pytest.mark.parametrize("smoothing", ["uniform", "neighborhood"])
def test_mirrored_equals_single(smoothing):
    import tensorflow as tf

    labels, x, _ = batch()
    labels[1:, 3:] = 0
    weights = (labels != 0).astype("float32") / (labels != 0).sum()

    def train(scope):
        keras.utils.set_random_seed(1)
        with scope:
            inputs = keras.Input((T, K))
            model = keras.Model(inputs, keras.layers.Dense(K, name="logits")(inputs))
            loss = SmoothedCE(
                0.1, smoothing=smoothing, from_logits=True, ignore_class=0, reduction="sum"
            )
            model.compile(keras.optimizers.SGD(0.5), loss)
        data = tf.data.Dataset.from_tensors((x, labels, weights)).unbatch().batch(B).repeat(3)
        model.fit(data, shuffle=False, verbose=0)
        return model.get_weights()

    devices = [device.name for device in tf.config.list_logical_devices("CPU")]
    assert len(devices) == 2
    single = train(tf.distribute.OneDeviceStrategy(devices[0]).scope())
    mirrored = train(tf.distribute.MirroredStrategy(devices).scope())
    for one, two in zip(single, mirrored, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_sample_weight_is_the_callers(as_tensor):
    # On PyTorch, Keras's own losses multiply the mask into it, in the caller's memory.
    labels, z, weights = batch()
    given = ops.convert_to_tensor(weights.copy()) if as_tensor else weights.copy()
    SmoothedCE(0.1, from_logits=True, ignore_class=2)(labels, z, sample_weight=given)
    np.testing.assert_array_equal(ops.convert_to_numpy(given), weights)


@pytest.mark.parametrize("shape", [(B,), (B, 1), (B, T)])
def test_fits_a_model_with_masks_and_weights(shape):
    tokens = keras.Input((T,), dtype="int32")
    embedded = keras.layers.Embedding(9, 3, mask_zero=True)(tokens)
    model = keras.Model(tokens, keras.layers.Dense(K)(embedded))
    labels, _, weights = batch()
    x = np.arange(B * T).reshape(B, T) % 4
    weights = weights if shape == (B, T) else weights[:, 0].reshape(shape)
    model.compile("sgd", SmoothedCE(0.1, from_logits=True, ignore_class=1))
    expected = SmoothedCE(0.1, from_logits=True, ignore_class=1, reduction=None)(labels, model(x))
    found = model.fit(x, labels, B, sample_weight=weights, verbose=0).history["loss"]
    weights = weights.reshape(weights.shape + (1,) * (2 - weights.ndim))
    counts = (x != 0) & (labels != 1)
    expected = (ops.convert_to_numpy(expected) * weights)[counts].sum() / counts.sum()
    assert found[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_many_losses_of_16_bits_have_a_mean(dtype, reduction):
    z = np.zeros((20_000, 40), "float32")
    labels = np.arange(20_000) % 40
    loss = SmoothedCE(0.1, from_logits=True, ignore_class=3, dtype=dtype, reduction=reduction)
    found = loss(labels, z, np.full(20_000, 2.0))
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    expected = np.log(40) * (2 if reduction == "sum_over_batch_size" else 1)
    assert float(found) == pytest.approx(expected, rel=4e-3)


@pytest.mark.parametrize("shape", [(B,), (B, T)])
def test_positions_of_weight_zero_are_nobodys_neighbors(shape):
    labels, z, weights = batch()
    weights = weights if shape == (B, T) else weights[:, 0]
    weights[1] = 0
    if shape == (B, T):
        weights[0, 2:] = 0
    options = {"smoothing": "neighborhood", "from_logits": True, "reduction": "sum"}
    there = np.broadcast_to(weights.reshape(B, -1) != 0, (B, T))
    by_class = SmoothedCE(0.3, ignore_class=-1, **options)(np.where(there, labels, -1), z, weights)
    assert float(SmoothedCE(0.3, **options)(labels, z, weights)) == pytest.approx(
        float(by_class), rel=1e-5
    )


@pytest.mark.parametrize("ids", [np.int64(1), np.array([1, 2]), (np.int32(1), 2), [1, np.uint8(2)]])
def test_numpy_integers_are_integers(ids, tmp_path):
    labels, z, _ = batch()
    plain = 1 if np.ndim(ids) == 0 else (1, 2)
    ours = SmoothedCE(0.1, from_logits=True, ignore_class=ids, axis=np.int64(-1))
    expected = SmoothedCE(0.1, from_logits=True, ignore_class=plain)(labels, z)
    model = classifier(loss=ours)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").loss
    assert float(ours(labels, z)) == float(loaded(labels, z)) == float(expected)

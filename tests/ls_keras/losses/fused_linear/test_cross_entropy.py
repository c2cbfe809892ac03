import keras
import numpy as np
import pytest
from keras import ops

from gradient import gradients
from largest_tensor import largest_tensor
from ls_base.errors import InputError
from ls_keras import Prior, SmoothedCE, Uniform, Unigram, linear_smoothed_ce
from ls_keras.losses.fused_linear import problem
from masked import masked

B, T, D, K = 3, 7, 5, 11
IGNORED = 3
SMOOTHINGS = {
    "uniform": "uniform",
    "exclude": Uniform(exclude=[0, 2]),
    "unigram": Unigram(np.arange(K), exclude=[6]),
    "prior": Prior([0.5, 0.2, 0.1, 0.1, 0.1, *[0] * (K - 5)]),
    "neighborhood": "neighborhood",
}


def batch():
    """Returns labels, the parts that have gradients, and weights."""
    rng = np.random.default_rng(0)
    linear = {
        "hidden": rng.normal(size=(B, T, D)).astype("float32"),
        "kernel": rng.normal(size=(D, K)).astype("float32"),
        "bias": rng.normal(size=K).astype("float32"),
    }
    return rng.integers(0, K, (B, T)), linear, rng.random((B, T)).astype("float32") + 0.1


def unfused(y_true, hidden, kernel, bias=None, alpha=0.1, smoothing="uniform", **options):
    """The same by way of the logits."""
    mask, weights = options.pop("mask", None), options.pop("sample_weight", None)
    transposed = options.pop("transposed", False)
    options.pop("chunk_size", None)
    logits = ops.matmul(hidden, ops.transpose(kernel) if transposed else kernel)
    logits = logits if bias is None else ops.add(logits, bias)
    logits = logits if mask is None else masked(logits, mask)
    loss = SmoothedCE(alpha, smoothing=smoothing, from_logits=True, **options)
    return loss(y_true, logits, weights)


def value_and_gradients(loss, y_true, linear, **options) -> dict[str, np.ndarray]:
    """Returns the loss, and its gradient for each part."""

    def of(parts):
        return loss(y_true, **{**linear, **parts}, **options)

    value = ops.convert_to_numpy(loss(y_true, **linear, **options))
    return {"value": value, **gradients(of, linear)}


def assert_as_unfused(y_true, linear, **options):
    found = value_and_gradients(linear_smoothed_ce, y_true, linear, **options)
    expected = value_and_gradients(unfused, y_true, linear, **options)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("alpha", [0.1, 1.0])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_value_and_gradients_are_those_of_the_logits(smoothing, alpha):
    y_true, linear, weights = batch()
    options = {"alpha": alpha, "smoothing": SMOOTHINGS[smoothing], "ignore_class": IGNORED}
    assert_as_unfused(y_true, linear, sample_weight=weights, chunk_size=4, **options)


def test_against_the_definition_in_float64():
    y_true, linear, weights = batch()
    alpha, q = 0.3, np.arange(1.0, K + 1) / np.arange(1, K + 1).sum()
    hidden, kernel, bias = (part.astype(float) for part in linear.values())
    z = hidden @ kernel + bias
    log_p = z - np.logaddexp.reduce(z, axis=-1, keepdims=True)
    targets = (1 - alpha) * np.eye(K)[y_true] + alpha * q
    dz = (np.exp(log_p) - targets) * weights[..., None]
    expected = {
        "value": -((targets * log_p).sum(-1) * weights).sum(),
        "hidden": dz @ kernel.T,
        "kernel": np.einsum("btd,btk->dk", hidden, dz),
        "bias": dz.sum((0, 1)),
    }
    options = {"alpha": alpha, "smoothing": Prior(q), "sample_weight": weights, "reduction": "sum"}
    found = value_and_gradients(linear_smoothed_ce, y_true, linear, **options)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-5, atol=5e-6)
    if keras.config.backend() != "jax":  # no float64 by default
        wide = {name: part.astype(float) for name, part in linear.items()}
        value = ops.convert_to_numpy(linear_smoothed_ce(y_true, **wide, **options))
        assert value.dtype == np.float64
        np.testing.assert_allclose(value, expected["value"], rtol=1e-7)  # float32 weights


OPTIONS = {
    "nothing": {},
    "several ignored": {"ignore_class": (1, -100, IGNORED)},
    "a mask": {"mask": np.random.default_rng(1).random((B, T)) > 0.3},
    "a mask, ignored": {"mask": np.arange(B * T).reshape(B, T) % 3 > 0, "ignore_class": IGNORED},
    "weights of sequences": {"sample_weight": np.float32([0.5, 0, 2])},
    "weights with an axis more": {"sample_weight": np.linspace(0, 1, B * T).reshape(B, T, 1)},
    "mean": {"reduction": "mean", "ignore_class": IGNORED},
    "weighted mean": {
        "reduction": "mean_with_sample_weight",
        "sample_weight": np.float32([0.5, 0, 2]),
        "ignore_class": IGNORED,
    },
    "sum": {"reduction": "sum", "ignore_class": IGNORED},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_what_counts_and_how_it_is_reduced(options):
    y_true, linear, _ = batch()
    assert_as_unfused(y_true, linear, smoothing="neighborhood", **OPTIONS[options])


def test_without_smoothing_it_is_cross_entropy():
    y_true, linear, _ = batch()
    assert_as_unfused(y_true, linear, alpha=0.0)


@pytest.mark.parametrize("chunk_size", [1, 4, 100])
@pytest.mark.parametrize("transposed", [False, True])
def test_chunks_that_do_not_divide(chunk_size, transposed, monkeypatch):
    if chunk_size == 4:
        monkeypatch.setattr(problem, "_SMALL", 0)  # blocks of 2 of the 11 classes
    y_true, linear, weights = batch()
    del linear["bias"]
    linear["kernel"] = linear["kernel"].T.copy() if transposed else linear["kernel"]
    options = {"smoothing": SMOOTHINGS["unigram"], "sample_weight": weights}
    assert_as_unfused(y_true, linear, chunk_size=chunk_size, transposed=transposed, **options)


def test_one_token_and_none():
    y_true, linear, _ = batch()
    for labels, hidden in ((y_true[0, 0], linear["hidden"][0, 0]), (y_true[0, :1], None)):
        hidden = linear["hidden"][0, :1] if hidden is None else hidden
        assert_as_unfused(labels, {**linear, "hidden": hidden})
    nothing = {**linear, "hidden": linear["hidden"][:0]}
    found = value_and_gradients(linear_smoothed_ce, y_true[:0], nothing)
    assert found["value"] == 0
    assert not found["kernel"].any()


def test_what_does_not_count_leaves_no_trace():
    y_true, linear, weights = batch()
    mask = np.arange(B * T).reshape(B, T) % 4 > 0
    weights[0, 1] = 0
    out = (y_true == IGNORED) | ~mask | (weights == 0)
    options = {"mask": mask, "sample_weight": weights, "ignore_class": IGNORED}
    expected = value_and_gradients(linear_smoothed_ce, y_true, linear, **options)
    dirty = {**linear, "hidden": np.where(out[..., None], np.nan, linear["hidden"])}
    found = value_and_gradients(linear_smoothed_ce, y_true, dirty, **options)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    assert not found["hidden"][out].any()


def test_a_mask_of_layers_is_found():
    y_true, linear, _ = batch()
    mask = np.arange(B * T).reshape(B, T) % 4 > 0
    expected = linear_smoothed_ce(y_true, **linear, mask=mask)
    found = linear_smoothed_ce(y_true, **{**linear, "hidden": masked(linear["hidden"], mask)})
    assert float(found) == float(expected)


def test_classes_that_are_masked_by_their_bias():
    y_true, linear, _ = batch()
    y_true = np.where(y_true == 2, 1, y_true)
    linear["bias"][2] = -np.inf
    assert_as_unfused(y_true, linear, smoothing=Uniform(exclude=[2]))
    assert np.isinf(float(linear_smoothed_ce(y_true, **linear)))


def test_the_factor_of_backpropagation_is_in_every_gradient():
    y_true, linear, _ = batch()
    once = value_and_gradients(linear_smoothed_ce, y_true, linear)
    twice = value_and_gradients(lambda *a, **k: 3 * linear_smoothed_ce(*a, **k), y_true, linear)
    for name in linear:
        np.testing.assert_allclose(twice[name], 3 * once[name], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("smoothing", ["uniform", "unigram"])
def test_16_bits_are_summed_up_in_float32(dtype, smoothing):
    y_true, linear, weights = batch()
    half = {name: ops.cast(part, dtype) for name, part in linear.items()}
    exact = {name: ops.convert_to_numpy(ops.cast(part, "float32")) for name, part in half.items()}
    options = {"smoothing": SMOOTHINGS[smoothing], "sample_weight": weights}
    expected = value_and_gradients(linear_smoothed_ce, y_true, exact, **options)
    found = value_and_gradients(linear_smoothed_ce, y_true, half, **options)
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-6)
    for name in linear:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-2, atol=1e-3)


def test_a_gradient_of_float16_waits_in_float32():
    fixed = problem.Fixed(0.1, None, K, False, None, "float32")
    assert [fixed.stored(x) for x in ("float16", "bfloat16", "float32")] == [
        "float32",
        "bfloat16",
        "float32",
    ]


def test_compiled(traced):
    y_true, linear, weights = batch()
    for smoothing in SMOOTHINGS.values():

        def loss(*parts, smoothing=smoothing):
            labels, weights, *parts = parts
            return linear_smoothed_ce(
                labels, *parts, 0.1, smoothing, sample_weight=weights, chunk_size=4
            )

        parts = (y_true, weights, *linear.values())
        np.testing.assert_allclose(traced(loss, *parts), float(loss(*parts)), rtol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("known", [True, False])
def test_gradients_in_a_graph(jit_compile, known):
    import tensorflow as tf

    y_true, linear, weights = batch()
    tokens = (B, T) if known else (None, None)
    specs = [((*tokens, D), tf.float32), ((D, K), tf.float32), ((K,), tf.float32)]
    specs += [(tokens, tf.int64), (tokens, tf.float32)]

    def gradients(*parts):
        *parts, labels, weights = parts
        with tf.GradientTape() as tape:
            tape.watch(parts)
            value = linear_smoothed_ce(
                labels, *parts, sample_weight=weights, ignore_class=IGNORED, chunk_size=4
            )
        return tape.gradient(value, parts)

    compiled = tf.function(
        gradients, jit_compile=jit_compile, input_signature=[tf.TensorSpec(*s) for s in specs]
    )
    parts = [tf.constant(part) for part in (*linear.values(), y_true, weights)]
    for found, expected in zip(compiled(*parts), gradients(*parts), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_no_tensor_is_as_large_as_the_logits():
    rng = np.random.default_rng(0)
    tokens, features, classes = 64, 4, 1000
    hidden = rng.normal(size=(tokens, features)).astype("float32")
    kernel = rng.normal(size=(features, classes)).astype("float32")
    labels = rng.integers(0, classes, tokens)

    def loss(kernel):
        return linear_smoothed_ce(labels, hidden, kernel, chunk_size=8)

    assert 8 * classes <= largest_tensor(loss, kernel) < 10 * classes
    assert largest_tensor(lambda k: unfused(labels, hidden, k), kernel) >= tokens * classes


def test_labels_that_are_none_are_told_or_poison(traced):
    y_true, linear, _ = batch()
    y_true[0, 0] = K
    with pytest.raises(InputError, match=r"labels in \[0, 11\).*Received: 11"):
        linear_smoothed_ce(y_true, **linear)
    assert np.isnan(traced(lambda y: linear_smoothed_ce(y, **linear), y_true))


WRONG = {
    "dense": ({"y_true": np.eye(K)[np.zeros((B, T), int)]}, "integer labels"),
    "labels": ({"y_true": np.zeros((B, T + 1), int)}, "integer labels of shape"),
    "kernel": ({"kernel": np.zeros((D, K, 1))}, r"a kernel of shape \(D, K\)"),
    "features": ({"kernel": np.zeros((D + 1, K))}, r"hidden states of shape \(..., 6\)"),
    "transposed": ({"transposed": True}, r"hidden states of shape \(..., 11\)"),
    "one class": ({"kernel": np.zeros((D, 1)), "bias": None}, "K ≥ 2"),
    "bias": ({"bias": np.zeros(K - 1)}, r"a bias of shape \(11,\)"),
    "mask": ({"mask": np.ones((B, T + 1), bool)}, "a mask of shape"),
    "weights": ({"sample_weight": np.ones((B, T + 1))}, "sample_weight of shape"),
    "negative weights": ({"sample_weight": -np.ones((B, T))}, "not negative"),
    "reduction": ({"reduction": None}, "reduction to be one of sum_over_batch_size"),
    "chunk": ({"chunk_size": 0}, "chunk_size to be an integer ≥ 1"),
    "symbolic": ({"hidden": keras.KerasTensor((B, T, D))}, "FusedLogits"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_are_told(wrong):
    y_true, linear, _ = batch()
    arguments, expected = WRONG[wrong]
    with pytest.raises(InputError, match=rf"^Expected .*{expected}.* Received: "):
        linear_smoothed_ce(**{"y_true": y_true, **linear, **arguments})


@pytest.mark.tensorflow
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
def test_replicas_have_their_shares_as_of_the_loss_of_logits(reduction):
    import tensorflow as tf

    y_true, linear, weights = batch()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def share(loss):
        step = tf.function(
            lambda: loss(y_true, **linear, sample_weight=weights, reduction=reduction)
        )
        return float(strategy.experimental_local_results(strategy.run(step))[0])

    assert share(linear_smoothed_ce) == pytest.approx(share(unfused), rel=1e-5)


@pytest.mark.skipif(keras.config.backend() != "torch", reason="of PyTorch")
@pytest.mark.parametrize("transposed", [False, True])
def test_products_of_bfloat16_as_cuda_makes_them(transposed, monkeypatch):
    import torch

    from ls_keras.losses.fused_linear import torch_chunks

    y_true, linear, weights = batch()
    linear["kernel"] = linear["kernel"].T.copy() if transposed else linear["kernel"]
    half = {name: ops.cast(part, "bfloat16") for name, part in linear.items()}
    options = {"sample_weight": weights, "chunk_size": 4, "transposed": transposed}
    expected = value_and_gradients(linear_smoothed_ce, y_true, half, **options)
    product, sixteen = torch.mm, []

    def mm(a, b, out_dtype=None, *, out=None):
        if out_dtype is None:
            return product(a, b, out=out)
        assert a.dtype == b.dtype == torch.bfloat16
        sixteen.append(a.shape)
        return product(a.to(out_dtype), b.to(out_dtype), out=out)

    monkeypatch.setattr(torch, "mm", mm)
    monkeypatch.setattr(torch_chunks, "_product_dtype", lambda *_: torch.bfloat16)
    found = value_and_gradients(linear_smoothed_ce, y_true, half, **options)
    assert len(sixteen) >= 3 * -(-B * T // 4)  # three products a chunk
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-2, atol=2e-3)

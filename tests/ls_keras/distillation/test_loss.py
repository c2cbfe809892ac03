import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax, softmax

import ls_keras
from ls_base.errors import InputError
from ls_keras import distillation_loss

N, K = 4, 5


def batch():
    rng = np.random.default_rng(0)
    z, z_teacher = rng.normal(0, 2, (2, N, K)).astype("float32")
    return rng.integers(0, K, N), z, z_teacher


def host(tensor):
    return ops.convert_to_numpy(tensor)


def reference(y, z, z_teacher, beta=1.0, t=1.0, t_s=1.0, alpha=0.0, scale=False):
    """The formula in float64."""
    z, z_teacher = z.astype("float64"), z_teacher.astype("float64")
    y_smooth = (1 - alpha) * np.eye(K)[y] + alpha / K
    from_labels = -(y_smooth * log_softmax(z, -1)).sum(-1)
    from_teacher = -(softmax(z_teacher / t, -1) * log_softmax(z / t_s, -1)).sum(-1)
    return (1 - beta) * from_labels + beta * from_teacher * (t * t_s if scale else 1)


def gradients(loss, *inputs):
    """Returns the gradients of sum(loss(*inputs)) on the current backend."""
    inputs = [ops.convert_to_tensor(x) for x in inputs]
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = ops.sum(loss(*inputs))
        found = tape.gradient(value, inputs, unconnected_gradients="zero")
    elif backend == "jax":
        import jax

        found = jax.grad(lambda *x: ops.sum(loss(*x)), range(len(inputs)))(*inputs)
    else:
        inputs = [x.detach().requires_grad_() for x in inputs]
        ops.sum(loss(*inputs)).backward()
        found = [ops.zeros_like(x) if x.grad is None else x.grad for x in inputs]
    return [host(x) for x in found]


def test_an_example_worked_by_hand():
    """p = (4/5, 1/5); p^t(1) = (9/10, 1/10), p^t(2) = (3/4, 1/4); the label is the second class."""
    z, z_teacher = [[np.log(4), 0.0]], [[np.log(9), 0.0]]
    log = -np.log([0.8, 0.2])
    (loss,) = host(distillation_loss([1], z, z_teacher))
    assert loss == pytest.approx(0.9 * log[0] + 0.1 * log[1])
    (loss,) = host(distillation_loss([1], z, z_teacher, beta=0.6, teacher_temperature=2, alpha=0.2))
    expected = 0.4 * (0.1 * log[0] + 0.9 * log[1]) + 0.6 * (0.75 * log[0] + 0.25 * log[1])
    assert loss == pytest.approx(expected)
    (loss,) = host(distillation_loss([1], z, z_teacher, beta=0.6, loss="squared-logits"))
    assert loss == pytest.approx(0.4 * log[1] + 0.6 * 0.5 * np.log(9 / 4) ** 2)


@pytest.mark.parametrize(
    ("beta", "t", "t_s", "alpha", "scale"),
    [(1, 1, 1, 0, False), (0.3, 4, 1, 0.1, False), (1, 2, 2, 0, True), (0.7, 3, 2, 0.5, True)],
)
def test_loss_equals_the_formula_in_numpy(beta, t, t_s, alpha, scale):
    y, z, z_teacher = batch()
    losses = distillation_loss(
        y,
        z,
        z_teacher,
        beta=beta,
        teacher_temperature=t,
        student_temperature=t_s,
        alpha=alpha,
        scale_by_temperature=scale,
    )
    expected = reference(y, z, z_teacher, beta, t, t_s, alpha, scale)
    np.testing.assert_allclose(host(losses), expected, rtol=2e-5)


def test_beta_zero_is_smoothed_cross_entropy():
    y, z, z_teacher = batch()
    prior = ls_keras.Unigram([5, 4, 3, 2, 1])
    losses = distillation_loss(y, z, z_teacher, beta=0, alpha=0.3, smoothing=prior)
    expected = ls_keras.smoothed_cross_entropy(y, z, 0.3, smoothing=prior, from_logits=True)
    np.testing.assert_array_equal(host(losses), host(expected))


def test_a_smoothed_one_hot_teacher_equals_label_smoothing():
    y, z, _ = batch()
    teacher = np.log(host(ls_keras.smooth_labels(y, 0.2, K)))
    expected = ls_keras.smoothed_cross_entropy(y, z, 0.2, from_logits=True)
    np.testing.assert_allclose(host(distillation_loss(y, z, teacher)), host(expected), rtol=1e-5)


@pytest.mark.parametrize("beta", [1, 0.4])
def test_gradients_of_student_and_teacher(beta):
    y, z, z_teacher = batch()
    t, t_s = 3.0, 2.0

    def loss(z, z_teacher):
        options = {"teacher_temperature": t, "student_temperature": t_s, "alpha": 0.1}
        return distillation_loss(y, z, z_teacher, beta=beta, **options)

    dz, dz_teacher = gradients(loss, z, z_teacher)
    assert not dz_teacher.any()
    from_labels = softmax(z, -1) - 0.9 * np.eye(K)[y] - 0.1 / K
    from_teacher = (softmax(z / t_s, -1) - softmax(z_teacher / t, -1)) / t_s
    np.testing.assert_allclose(dz, (1 - beta) * from_labels + beta * from_teacher, atol=1e-6)
    differences = np.empty_like(dz)
    for i, k in itertools.product(range(N), range(K)):
        step = np.zeros_like(z, "float64")
        step[i, k] = 1e-5
        up, down = (
            reference(y, z + sign * step, z_teacher, beta, t, t_s, 0.1).sum() for sign in (1, -1)
        )
        differences[i, k] = (up - down) / 2e-5
    np.testing.assert_allclose(dz, differences, atol=1e-5)


def test_gradient_of_squared_logits():
    y, z, z_teacher = batch()
    dz, dz_teacher = gradients(
        lambda *both: distillation_loss(y, *both, loss="squared-logits"), z, z_teacher
    )
    np.testing.assert_allclose(dz, z - z_teacher, rtol=1e-6)
    assert not dz_teacher.any()


@pytest.mark.parametrize("loss", ["cross-entropy", "squared-logits"])
def test_large_logits_and_masked_classes_stay_finite(loss):
    z = np.tile(np.array([1e4, -1e4, 0, 0, -np.inf], "float32"), (N, 1))
    z_teacher = z.copy()
    z_teacher[1, :3] = -1e4, 1e4, 3
    expected = {"cross-entropy": [0, 2e4, 0, 0], "squared-logits": [0, 4e8 + 4.5, 0, 0]}[loss]
    losses = distillation_loss([0] * N, z, z_teacher, loss=loss)
    np.testing.assert_allclose(host(losses), expected, rtol=1e-6)
    dz, _ = gradients(
        lambda *both: distillation_loss([0] * N, *both, beta=0.5, loss=loss), z, z_teacher
    )
    assert np.isfinite(dz).all()
    assert (dz[:, 4] == 0).all()


def test_a_class_masked_by_the_teacher_alone():
    y, z, z_teacher = batch()
    z_teacher[:, :] = [0, 0, -np.inf, -np.inf, -np.inf]
    expected = -log_softmax(z.astype("float64"), -1)[:, :2].mean(-1)
    np.testing.assert_allclose(host(distillation_loss(y, z, z_teacher)), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["cross-entropy", "squared-logits"])
@pytest.mark.parametrize("beta", [1, 0.5])
def test_ignored_positions_have_no_effect(loss, beta):
    y, z, z_teacher = batch()
    y = y.copy()
    y[1] = -1
    options = {"beta": beta, "loss": loss, "ignore_class": -1}
    expected = host(distillation_loss(y, z, z_teacher, **options))
    z, z_teacher = z.copy(), z_teacher.copy()
    z[1], z_teacher[1] = np.nan, np.inf
    losses = host(distillation_loss(y, z, z_teacher, **options))
    np.testing.assert_array_equal(losses, expected)
    assert losses[1] == 0
    dz, _ = gradients(lambda *both: distillation_loss(y, *both, **options), z, z_teacher)
    assert (dz[1] == 0).all()
    assert np.isfinite(dz).all()


def test_half_precision_is_computed_in_float32():
    y, z, z_teacher = batch()
    half = ops.cast(z, "float16")
    losses = distillation_loss(y, half, z_teacher.astype("float16"))
    assert keras.backend.standardize_dtype(losses.dtype) == "float32"
    np.testing.assert_allclose(host(losses), reference(y, z, z_teacher), rtol=5e-3)


def test_unlabeled_examples_use_the_teacher_alone():
    y, z, z_teacher = batch()
    both = [host(distillation_loss(labels, z, z_teacher)) for labels in (None, y)]
    np.testing.assert_array_equal(*both)


def test_gradients_agree_with_kl_divergence_of_keras():
    """KL and cross-entropy differ by the teacher's entropy, which has no gradient."""
    y, z, z_teacher = batch()
    divergence = keras.losses.KLDivergence()
    theirs = keras.distillation.LogitsDistillation(temperature=3.0, loss=divergence)  # KL · T²
    dz_theirs, _ = gradients(
        lambda z, z_teacher: theirs.compute_loss(ops.stop_gradient(z_teacher), z), z, z_teacher
    )
    options = {
        "teacher_temperature": 3.0,
        "student_temperature": 3.0,
        "scale_by_temperature": True,
    }
    dz, _ = gradients(lambda *both: distillation_loss(y, *both, **options) / N, z, z_teacher)
    np.testing.assert_allclose(dz, dz_theirs, atol=2e-6)
    value = host(distillation_loss(y, z, z_teacher, **options)).mean()
    p = softmax(z_teacher / 3.0, -1)
    entropy = -(p * np.log(p)).sum(-1).mean()
    kl = float(theirs.compute_loss(ops.convert_to_tensor(z_teacher), ops.convert_to_tensor(z)))
    assert value == pytest.approx(kl + 9 * entropy, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        # By name, which is the default, the divergence receives logits clipped to [1e-7, 1].
        ("kl_divergence", lambda q, z: (q * np.log(q / z)).sum(-1)),
        ("categorical_crossentropy", None),
    ],
)
def test_keras_treats_logits_as_probabilities_for_a_loss_by_name(loss, formula):
    _, z, z_teacher = batch()
    theirs = keras.distillation.LogitsDistillation(temperature=1.0, loss=loss)
    value = float(theirs.compute_loss(ops.convert_to_tensor(z_teacher), ops.convert_to_tensor(z)))
    if formula is not None:
        clipped = (np.clip(x.astype("float64"), 1e-7, 1) for x in (z_teacher, z))
        assert value == pytest.approx(formula(*clipped).mean(), rel=1e-5)
    p = softmax(z_teacher, -1)
    cross_entropy = -(p * log_softmax(z, -1)).sum(-1).mean()
    entropy = -(p * np.log(p)).sum(-1).mean()
    assert abs(value - cross_entropy) > 1
    assert abs(value - (cross_entropy - entropy)) > 1


def test_keras_can_make_a_cross_entropy_negative():
    """With a loss from logits, Keras uses the teacher's logits as targets, even negative ones."""
    _, z, _ = batch()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    theirs = keras.distillation.LogitsDistillation(temperature=1.0, loss=loss)
    student, teacher = ops.convert_to_tensor(z), ops.convert_to_tensor(-abs(z))
    value = float(theirs.compute_loss(teacher, student))
    assert value == pytest.approx((abs(z) * log_softmax(z, -1)).sum(-1).mean(), rel=1e-5)
    assert value < 0 < host(distillation_loss(None, z, -abs(z))).min()


@pytest.mark.peers
@pytest.mark.parametrize(("t", "t_s"), [(1.0, 1.0), (4.0, 1.0), (2.0, 2.0)])
def test_loss_equals_pytorch_with_soft_targets(t, t_s):
    import torch
    from torch.nn.functional import cross_entropy

    y, z, z_teacher = batch()
    theirs = torch.tensor(z, requires_grad=True)
    losses = 0.25 * cross_entropy(
        theirs, torch.tensor(y), label_smoothing=0.1, reduction="none"
    ) + 0.75 * cross_entropy(
        theirs / t_s, torch.softmax(torch.tensor(z_teacher) / t, -1), reduction="none"
    )
    losses.sum().backward()

    def ours(z, z_teacher):
        options = {"teacher_temperature": t, "student_temperature": t_s, "alpha": 0.1}
        return distillation_loss(y, z, z_teacher, beta=0.75, **options)

    np.testing.assert_allclose(host(ours(z, z_teacher)), losses.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(gradients(ours, z, z_teacher)[0], theirs.grad.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1.5}, r"beta to be a finite number .* of at most 1\. Received: 1\.5"),
        ({"beta": "all"}, "beta to be a finite number"),
        ({"alpha": -0.1}, "alpha to be a finite number"),
        ({"teacher_temperature": 0}, "teacher_temperature to be a finite number above 0"),
        ({"student_temperature": -1}, "student_temperature to be a finite number above 0"),
        ({"teacher_temperature": float("nan")}, "finite number above 0. Received: nan"),
        ({"teacher_temperature": float("inf")}, "finite number above 0. Received: inf"),
        ({"loss": "kl"}, "one of cross-entropy, squared-logits. Received: 'kl'"),
        ({"loss": "squared-logits", "teacher_temperature": 2}, "temperatures of 1"),
        ({"loss": "squared-logits", "scale_by_temperature": True}, "temperatures of 1"),
        ({"ignore_class": "pad"}, "ignore_class to be an integer"),
        ({"smoothing": "unigram"}, "Unigram"),
    ],
)
def test_options_out_of_range_raise_input_errors(options, message):
    y, z, z_teacher = batch()
    with pytest.raises(InputError, match=message):
        distillation_loss(y, z, z_teacher, **options)


@pytest.mark.parametrize(
    ("y", "classes", "options", "message"),
    [
        ([0, 1], 4, {}, r"of one shape.*Received: \(2, 3\) from the student, \(2, 4\)"),
        ([0, 3], 3, {}, r"labels in \[0, 3\)"),
        ([0, 1, 2], 3, {}, "integer labels of shape"),
        (None, 3, {"beta": 0.5}, "Expected labels, or beta=1"),
        (None, 3, {"ignore_class": 0}, "Expected labels, or beta=1 without ignore_class"),
    ],
)
def test_arguments_that_do_not_match_raise_input_errors(y, classes, options, message):
    with pytest.raises(InputError, match=message):
        distillation_loss(y, np.zeros((2, 3), "float32"), np.zeros((2, classes)), **options)

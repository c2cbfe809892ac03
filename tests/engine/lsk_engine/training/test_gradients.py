import warnings

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.training.gradients import (
    GradientTransform,
    GradientTransformMixin,
    clip_by_global_norm,
)
from lsk_engine.training.optimizers import build_optimizer

GRADIENTS = np.random.default_rng(0).normal(size=(3, 3, 2, 2))  # step × weight × its shape


def weights():
    """Two kernels and a bias."""
    inputs = keras.Input((2,))
    x = keras.layers.Dense(2, use_bias=False, name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))
    model.set_weights([np.eye(2), np.full((2, 2), 0.5), np.ones(2)])
    return model.trainable_variables


def gradient(step):
    hidden, kernel, bias = GRADIENTS[step]
    return hidden, kernel, bias[0]


def make_optimizer(*, loss_weight=1.0, **options):
    config = OptimizerConfig(name="sgd", learning_rate=0.1, **options)
    return build_optimizer(config, 3, loss_weight=loss_weight)


def stepped(**options):
    """The weights after three steps."""
    variables = weights()
    optimizer = make_optimizer(**options)
    for step in range(3):
        values = [ops.convert_to_tensor(g.astype("float32")) for g in gradient(step)]
        optimizer.apply(values, variables)
    return [ops.convert_to_numpy(v) for v in variables]


def reference(
    *,
    loss_weight=1,
    l2=0,
    penalized=(0, 1),
    clip=0,
    dampening=0,
    logits_lr_multiplier=1,
    momentum=0,
):
    """The same in NumPy."""
    values = [ops.convert_to_numpy(v).astype("float64") for v in weights()]
    velocity = [np.zeros_like(v) for v in values]
    for step in range(3):
        gradients = [loss_weight * g for g in gradient(step)]
        gradients = [
            g + l2 * v if i in penalized else g
            for i, (g, v) in enumerate(zip(gradients, values, strict=True))
        ]
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        for i, g in enumerate(gradients):
            clipped = g * min(1, clip / norm) if clip else g
            rate = 0.1 * (logits_lr_multiplier if i else 1)
            velocity[i] = momentum * velocity[i] - rate * (1 - dampening) * clipped
            values[i] = values[i] + velocity[i]
    return values


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"momentum": 0.0}, {}),
        ({"momentum": 0.0, "loss_weight": 3.0}, {"loss_weight": 3}),
        ({"momentum": 0.0, "l2": 0.3}, {"l2": 0.3}),
        (
            {"momentum": 0.0, "l2": 0.3, "l2_layers": ("hidden",), "loss_weight": 3.0},
            {"l2": 0.3, "penalized": (0,), "loss_weight": 3},
        ),
        (
            {"momentum": 0.9, "global_clipnorm": 0.2, "l2": 0.3, "loss_weight": 3.0},
            {"momentum": 0.9, "clip": 0.2, "l2": 0.3, "loss_weight": 3},
        ),
        ({"momentum": 0.9, "dampening": 0.9}, {"momentum": 0.9, "dampening": 0.9}),
        (
            {"momentum": 0.9, "logits_lr_multiplier": 0.1},
            {"momentum": 0.9, "logits_lr_multiplier": 0.1},
        ),
    ],
)
def test_steps_are_those_of_numpy(options, expected):
    for ours, numpy in zip(stepped(**options), reference(**expected), strict=True):
        np.testing.assert_allclose(ours, numpy, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"global_clipnorm": 0.2}, {"l2": 0.3}, {"loss_weight": 3.0}, {"logits_lr_multiplier": 0.1}],
)
def test_a_weight_that_the_loss_does_not_reach_is_only_penalized(options):
    found = {}
    for rest in ((), ("unused",)):
        variables = weights()
        if rest:
            variables.insert(
                1, keras.layers.Dense(2, name="unused").add_weight((3, 2), name="kernel")
            )
        unused = [ops.convert_to_numpy(v) for v in variables[1 : 1 + len(rest)]]
        optimizer = make_optimizer(**options)
        values = [ops.convert_to_tensor(g.astype("float32")) for g in gradient(0)]
        if rest:
            values.insert(1, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Keras names it
            optimizer.apply(values, variables)
        for before in unused:
            decayed = before * (1 - 0.1 * options.get("l2", 0))  # as on JAX, whose gradient is 0
            np.testing.assert_allclose(ops.convert_to_numpy(variables.pop(1)), decayed, rtol=1e-6)
        found[rest] = [ops.convert_to_numpy(v) for v in variables]
    for one, other in zip(*found.values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_clipping_leaves_small_gradients_alone():
    small = [ops.array([0.3, 0.4])]
    np.testing.assert_array_equal(clip_by_global_norm(small, 1.0)[0], small[0])


def test_clipping_of_nothing_but_zeros():
    np.testing.assert_array_equal(clip_by_global_norm([ops.zeros(3)], 1.0)[0], np.zeros(3))


def test_biases_are_not_penalized():
    transform = GradientTransform(l2=0.1)
    assert [transform.penalizes(v) for v in weights()] == [True, True, False]


def test_a_layer_that_is_not_there_is_told():
    config = OptimizerConfig(name="sgd", l2=0.1, l2_layers=("dense_1",))
    with pytest.raises(InputError, match="hidden, logits. Received: 'dense_1'"):
        build_optimizer(config, 1).build(weights())


def test_gradients_without_options_are_not_touched():
    optimizer = build_optimizer(OptimizerConfig(name="sgd"), 1)
    assert not isinstance(optimizer, GradientTransformMixin)

import keras
import numpy as np
import pytest
from keras import layers

from ls_keras import Distiller, SmoothedCE
from lsk_engine.devices.gradient_accumulation import accumulate_gradients
from lsk_engine.devices.precision import precision
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.optimizers import build_optimizer
from tiny_task import TinyTask

pytestmark = [pytest.mark.tensorflow, pytest.mark.jax]

ROWS, STEPS, K = 8, 4, 5


def model(name):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3, 4), name="x")
    x = layers.Dense(6, "relu", kernel_regularizer=keras.regularizers.L2(0.1))(inputs)
    return keras.Model(inputs, layers.Dense(K, name="logits", dtype="float32")(x), name=name)


def trained(parts, policy="float32", distilled=False):
    """Returns weights, state of the optimizer and loss after some steps on ragged batches."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS * STEPS, 3, 4)).astype("float32")
    y = rng.integers(0, K, (ROWS * STEPS, 3))
    weights = (rng.random((ROWS * STEPS, 3)) < 0.6).astype("float32")
    weights[-3:] = 0  # rows that only fill up the last batch
    for step in range(STEPS):
        weights[step * ROWS : (step + 1) * ROWS] /= weights[step * ROWS : (step + 1) * ROWS].sum()
    options = OptimizerConfig(
        name="sgd",
        momentum=0.9,
        learning_rate=0.5,
        global_clipnorm=0.2,
        ema_momentum=0.9,
        warmup_steps=1,
    )
    with precision(policy):
        learner = model("student")
        loss = SmoothedCE(0.1, from_logits=True, reduction="sum")
        if distilled:
            learner = Distiller(learner, model("teacher"), beta=0.5, reduction="sum")
            loss = None
        learner.compile(build_optimizer(options, STEPS), loss, jit_compile=False)
        accumulate_gradients(learner, parts)
        learner.optimizer.build(learner.trainable_variables)
        fit = learner.fit(x, y, sample_weight=weights, batch_size=ROWS, shuffle=False, verbose=0)
    state = [keras.ops.convert_to_numpy(v) for v in learner.optimizer.variables]
    return [*learner.get_weights(), *state, np.array(fit.history["loss"])]


@pytest.mark.parametrize("parts", [pytest.param(2, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize(
    ("more", "tolerance"),
    [({}, 1e-6), ({"policy": "mixed_float16"}, 3e-3), ({"distilled": True}, 1e-6)],
    ids=["plain", "loss scaling", "distilled"],
)
def test_parts_update_as_the_whole_does(more, tolerance, parts):
    whole = trained(1, **more)
    for a, b in zip(whole, trained(parts, **more), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance)


def test_parts_are_no_smaller_batches():
    """What the tolerance above would let pass if parts were updates: it is not this."""
    whole, parts = trained(1), trained(2)
    assert whole[0].shape == parts[0].shape
    assert np.abs(whole[0] - model("new").get_weights()[0]).max() > 1e-2


def test_a_step_has_so_many_times_the_examples():
    from lsk_engine.data.datasets import evaluation_source, training_source

    config = resolve_config(
        TinyTask(), None, {"training.batch_size": 3, "training.gradient_accumulation_steps": 4}
    )
    data = TinyTask().load_data(config)
    source = training_source(config, data)
    assert source.batch_size == 12
    assert source.steps_per_epoch == 4  # of 41 examples
    assert len(source.batch(3).ids) == 12
    assert evaluation_source(config, data, "test").batch_size == 3

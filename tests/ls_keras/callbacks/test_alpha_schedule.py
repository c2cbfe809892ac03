"""A rate that moves: as a loop of losses with a fixed rate for each step, on every backend."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras import (
    ConfidencePenalty,
    FocalCE,
    MarginSmoothing,
    MaxSup,
    NegativeSmoothing,
    SmoothedBCE,
    SmoothedCE,
)
from ls_keras.callbacks import AlphaSchedule

K, BATCH, STEPS = 4, 8, 4
Polynomial = keras.optimizers.schedules.PolynomialDecay
BACKEND = keras.config.backend()


def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH * STEPS, 3)).astype("float32")
    return x, rng.integers(0, K, len(x))


def sequential():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(K, kernel_initializer="ones")])


def functional():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(K, kernel_initializer="ones")(inputs))


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(K, kernel_initializer="ones")

    def call(self, x):
        return self.dense(x)


def compiled(make=sequential, loss=None, **options):
    model = make()
    loss = SmoothedCE(0.1, from_logits=True) if loss is None else loss
    model.compile(keras.optimizers.SGD(0.5, momentum=0.9), loss, **options)
    return model


def fit(model, *callbacks, epochs=2, **options):
    x, y = data()
    return model.fit(
        x, y, BATCH, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0, **options
    ).history


def by_hand(make_loss, rates, make=sequential):
    """Returns the weights after steps with a fixed rate each, and the losses of the steps."""
    x, y = data()
    model = make()
    optimizer = keras.optimizers.SGD(0.5, momentum=0.9)
    losses = []
    for step, rate in enumerate(rates):
        at = slice(step % STEPS * BATCH, (step % STEPS + 1) * BATCH)
        model.compile(optimizer, make_loss(rate), run_eagerly=BACKEND != "jax")
        losses.append(model.train_on_batch(x[at], y[at]))
    return model.get_weights(), losses


def number(loss) -> float:
    return float(ops.convert_to_numpy(loss))


def same_weights(model, weights):
    for found, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-6)


class OneHot(SmoothedBCE):
    """Of the data here, a sigmoid for each class."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        labels = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), K)
        return super().__call__(labels, y_pred, sample_weight)


RISING = {
    "smoothed": (lambda rate: SmoothedCE(rate, from_logits=True), 0.1, "alpha"),
    "max_sup": (lambda rate: MaxSup(rate, from_logits=True), 0.3, "alpha"),
    "margin": (lambda rate: MarginSmoothing(rate, 0.1, from_logits=True), 0.3, "alpha"),
    "negative": (lambda rate: NegativeSmoothing(rate, from_logits=True), -0.3, "rate"),
    "sigmoids": (lambda rate: OneHot(rate, from_logits=True), 0.1, "alpha"),
    "penalty": (lambda rate: ConfidencePenalty(rate, from_logits=True), 0.3, "beta"),
}


@pytest.mark.parametrize("name", RISING)
def test_fit_is_a_loop_of_fixed_rates(name):
    make_loss, end, rate = RISING[name]
    model = compiled(loss=make_loss(end))
    history = fit(model, AlphaSchedule(Polynomial(0.0, 8, end)))
    rates = [end * step / 8 for step in range(8)]
    weights, losses = by_hand(make_loss, rates)
    same_weights(model, weights)
    np.testing.assert_allclose(history["loss"], np.reshape(losses, (2, 4)).mean(1), rtol=1e-5)
    np.testing.assert_allclose(history[rate], [rates[3], rates[7]], rtol=1e-6)
    assert float(getattr(model.loss, rate)) == pytest.approx(rates[7])


@pytest.mark.parametrize("make", [functional, Subclass])
def test_of_any_model(make):
    model = compiled(make)
    number = None if make is Subclass else len(model.weights)
    fit(model, AlphaSchedule(lambda step: 0.5 if step % 2 else 0.0))
    rates = [0.0, 0.5] * 4
    same_weights(model, by_hand(lambda rate: SmoothedCE(rate, from_logits=True), rates, make)[0])
    assert any(variable is model.loss.alpha for variable in model.non_trainable_variables)
    assert number in (None, len(model.weights))


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"jit_compile": True}, {}])
def test_however_it_is_compiled(options):
    if BACKEND == "torch" and options.get("jit_compile"):
        pytest.skip("PyTorch's compiler takes a minute")
    if BACKEND == "jax" and options.get("run_eagerly"):
        pytest.skip("JAX's trainer looks at no values")
    model = compiled(**options)
    model.evaluate(*data(), verbose=0)  # compiled before the rate moves
    fit(model, epochs=1)
    fit(model, AlphaSchedule(lambda step: 0.1 * (step - 4)), epochs=1)
    rates = [0.1] * 4 + [0.0, 0.1, 0.2, 0.3]
    same_weights(model, by_hand(lambda rate: SmoothedCE(rate, from_logits=True), rates)[0])
    x, y = data()
    expected = ops.convert_to_numpy(SmoothedCE(0.3, from_logits=True)(y, model(x)))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has one step an execution")
def test_several_steps_an_execution_have_one_rate():
    model = compiled(steps_per_execution=2)
    fit(model, AlphaSchedule(lambda step: 0.1 * step), epochs=1)
    make_loss = RISING["smoothed"][0]
    same_weights(model, by_hand(make_loss, [0.0, 0.0, 0.2, 0.2])[0])


def test_after_a_warm_up_without():
    make_loss = RISING["negative"][0]
    model = compiled(loss=make_loss(-0.5))
    steps = keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.0, -0.5])
    fit(model, AlphaSchedule(steps))
    same_weights(model, by_hand(make_loss, [0.0] * 4 + [-0.5] * 4)[0])


def test_a_rate_of_zero_is_plain_cross_entropy_of_masked_classes():
    masked = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(K), keras.layers.Lambda(_without_the_last)]
    )
    x, y = data()
    model = compiled(lambda: masked, MaxSup(0.1, from_logits=True))
    history = model.fit(x, y % 3, callbacks=[AlphaSchedule(lambda step: 0.0)], verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def _without_the_last(z):
    return ops.where(ops.arange(K) == K - 1, -np.inf, z)


def test_by_class():
    rates = np.linspace(0, 0.6, K)
    model = compiled()
    fit(model, AlphaSchedule(lambda step: rates * step / 8))
    make_loss = RISING["smoothed"][0]
    same_weights(model, by_hand(make_loss, [rates * step / 8 for step in range(8)])[0])
    assert model.loss.get_config()["alpha"] == pytest.approx(rates * 7 / 8)


@pytest.mark.parametrize("make", [sequential, functional])
def test_saved_loaded_and_continued(make, tmp_path):
    schedule = Polynomial(0.0, 8, 0.4)
    model = compiled(make)
    fit(model, AlphaSchedule(schedule), epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.alpha == pytest.approx(0.15)
    assert loaded.evaluate(*data(), verbose=0) == pytest.approx(model.evaluate(*data(), verbose=0))
    for one in (model, loaded):
        fit(one, AlphaSchedule(schedule), epochs=2, initial_epoch=1)
    weights, _ = by_hand(RISING["smoothed"][0], [0.05 * step for step in range(8)], make)
    same_weights(model, weights)
    same_weights(loaded, weights)


def test_weights_hold_the_rate_and_are_read_without_it(tmp_path):
    model, path = compiled(), str(tmp_path / "a.weights.h5")
    fit(model, AlphaSchedule(lambda step: 0.1 * step), epochs=1)
    model.save_weights(path)
    model.loss.alpha.assign(0.7)
    model.load_weights(path)
    assert float(model.loss.alpha) == pytest.approx(0.3)
    plain = compiled()
    plain.optimizer.build(plain.trainable_variables)
    plain.load_weights(path)
    same_weights(plain, model.get_weights())
    plain.save_weights(path)
    model.load_weights(path)
    assert float(model.loss.alpha) == pytest.approx(0.3)


def test_backup_and_checkpoints_in_the_middle(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                raise KeyboardInterrupt

    def callbacks():
        return [
            AlphaSchedule(lambda step: 0.05 * step),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        ]

    with pytest.raises(KeyboardInterrupt):
        fit(compiled(), *callbacks(), Stop())
    again = compiled()
    kept = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"), save_freq=3)
    fit(again, *callbacks(), kept)
    same_weights(again, by_hand(RISING["smoothed"][0], [0.05 * step for step in range(8)])[0])
    middle = keras.saving.load_model(tmp_path / "2.keras")
    assert middle.loss.alpha == pytest.approx(0.05 * (int(middle.optimizer.iterations) - 1))


def test_an_assigned_variable_is_read_by_the_next_compiled_step():
    model = compiled()
    x, y = data()
    model.train_on_batch(x, y)  # compiled with a constant
    AlphaSchedule(lambda step: 0.1).set_model(model)
    make_loss = RISING["smoothed"][0]
    for alpha in (0.2, 0.0, 1.0):
        model.loss.alpha.assign(alpha)
        assert model.test_on_batch(x, y) == pytest.approx(number(make_loss(alpha)(y, model(x))))
        expected = number(make_loss(alpha)(y, model(x)))
        assert model.train_on_batch(x, y) == pytest.approx(expected, rel=1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="a variable has to belong to the model")
def test_a_variable_can_be_an_argument():
    alpha = keras.Variable(0.4, trainable=False)
    model = compiled(loss=SmoothedCE(alpha, from_logits=True))
    x, y = data()
    make_loss = RISING["smoothed"][0]
    for value in (0.4, 0.1):
        alpha.assign(value)
        assert model.test_on_batch(x, y) == pytest.approx(number(make_loss(value)(y, model(x))))
    assert model.loss.get_config()["alpha"] == pytest.approx(0.1)


def test_another_callback_sets_the_rate_of_the_next_step():
    class Mine(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.loss.alpha.assign(0.1 * (batch + 1))

    model = compiled()
    AlphaSchedule(lambda step: 0.0).set_model(model)
    fit(model, Mine(), epochs=1)
    make_loss = RISING["smoothed"][0]
    same_weights(model, by_hand(make_loss, [0.0, 0.1, 0.2, 0.3])[0])
    assert float(model.loss.alpha) == pytest.approx(0.4)


@pytest.mark.skipif(BACKEND != "jax", reason="the others read variables of anyone")
def test_jax_says_that_another_model_would_train_with_a_constant():
    model = compiled()
    AlphaSchedule(lambda step: 0.2).set_model(model)
    with pytest.raises(InputError, match="on JAX it would be a constant"):
        fit(compiled(loss=model.loss))
    other = compiled(loss=model.loss)
    fit(other, AlphaSchedule(lambda step: 0.2))
    assert other.non_trainable_variables == model.non_trainable_variables


@pytest.mark.skipif(BACKEND != "jax", reason="of JAX")
def test_a_step_of_ones_own_on_jax_brings_the_rate():
    import jax

    model = compiled()
    AlphaSchedule(lambda step: 0.2).set_model(model)
    loss, labels, z = model.loss, np.int32([0, 1]), np.eye(2, K, dtype="float32")
    with pytest.raises(InputError, match=r"in keras\.StatelessScope\(\[\(loss\.alpha, value\)\]\)"):
        jax.jit(lambda z: loss(labels, z))(z)

    @jax.jit
    def step(alpha, z):
        with keras.StatelessScope([(loss.alpha, alpha)]):
            return loss(labels, z)

    for alpha in (0.0, 0.3):
        expected = number(SmoothedCE(alpha, from_logits=True)(labels, z))
        assert number(step(np.float32(alpha), z)) == pytest.approx(expected, rel=1e-6)


def test_a_new_loss_takes_the_place_of_the_old():
    model = compiled()
    for loss in (SmoothedCE(0.1, from_logits=True), MaxSup(0.1, from_logits=True)):
        model.compile("sgd", loss)
        for _ in range(2):
            fit(model, AlphaSchedule(lambda step: 0.2))
        assert [float(v) for v in model.non_trainable_variables] == [pytest.approx(0.2)]


def test_losses_of_several_outputs():
    inputs = keras.Input((3,))
    outputs = {name: keras.layers.Dense(K, name=name)(inputs) for name in "ab"}
    model = keras.Model(inputs, outputs)
    losses = {name: SmoothedCE(0.1, from_logits=True) for name in "ab"}
    model.compile("sgd", losses)
    x, y = data()
    targets = {"a": y, "b": y}
    model.fit(x, targets, callbacks=[AlphaSchedule(lambda step: 0.3, "a")], verbose=0)
    assert float(losses["a"].alpha) == pytest.approx(0.3)
    assert losses["b"].alpha == 0.1
    model.fit(x, targets, callbacks=[AlphaSchedule(lambda step: 0.2)], verbose=0)
    assert [float(losses[name].alpha) for name in "ab"] == pytest.approx([0.2, 0.2])
    assert len(model.non_trainable_variables) == 2
    with pytest.raises(InputError, match="'c'"):
        AlphaSchedule(lambda step: 0.2, "c").set_model(model)


def test_each_output_has_a_schedule_of_its_own():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, {name: keras.layers.Dense(K, name=name)(inputs) for name in "ab"})
    losses = {name: SmoothedCE(0.1, from_logits=True) for name in "ab"}
    model.compile("sgd", losses)
    x, y = data()
    schedules = [
        AlphaSchedule(lambda step: 0.1 * step, output="a"),
        AlphaSchedule(lambda step: 0.5, output="b"),
    ]
    history = model.fit(
        x, {"a": y, "b": y}, BATCH, epochs=2, callbacks=schedules, verbose=0
    ).history
    assert [history[name] for name in ("a_alpha", "b_alpha")] == [
        pytest.approx([0.3, 0.7]),
        pytest.approx([0.5, 0.5]),
    ]
    assert "alpha" not in history
    assert [float(v) for v in model.non_trainable_variables] == pytest.approx([0.7, 0.5])


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "loss-scaled"])
def test_gradient_accumulation_counts_updates(scaled):
    model = sequential()
    optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
    if scaled:  # as `compile` does where the dtype policy is mixed_float16
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, SmoothedCE(0.1, from_logits=True))
    seen = []
    fit(model, AlphaSchedule(lambda step: seen.append(step) or 0.1))
    assert seen == [0, 0, 0, 1, 1, 2, 2, 3, 3]  # the first makes the variable


def test_what_was_gathered_counts_in_the_next_epoch():
    """Three batches an epoch, two for an update."""
    model = sequential()
    optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
    model.compile(optimizer, SmoothedCE(0.1, from_logits=True))
    seen = []
    x, y = data()
    schedule = AlphaSchedule(lambda step: seen.append(step) or 0.1)
    size = -(-len(y) // 3)
    model.fit(x, y, batch_size=size, epochs=2, shuffle=False, callbacks=[schedule], verbose=0)
    assert seen == [0, 0, 0, 1, 1, 2, 2]  # the first makes the variable


def test_schedules():
    config = keras.optimizers.schedules.serialize(Polynomial(0.0, 8, 0.4))
    model = compiled()
    fit(model, AlphaSchedule(config), epochs=1)
    assert float(model.loss.alpha) == pytest.approx(0.15)
    for wrong in (0.1, None, Polynomial, "rising"):
        with pytest.raises(InputError, match="schedule"):
            AlphaSchedule(wrong)


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan"), "rising", None, [0.1], [[0.1, 0.2]]])
def test_a_schedule_gives_what_the_loss_takes(wrong):
    with pytest.raises(InputError, match="alpha"):
        fit(compiled(), AlphaSchedule(lambda step: wrong if step == 2 else 0.1))
    with pytest.raises(InputError, match="alpha"):
        fit(compiled(), AlphaSchedule(lambda step: wrong))


def test_a_loss_without_a_rate_is_told():
    for loss in (FocalCE(from_logits=True), "sparse_categorical_crossentropy"):
        with pytest.raises(InputError, match="whose rate can be set"):
            fit(compiled(loss=loss), AlphaSchedule(lambda step: 0.1))
    with pytest.raises(InputError, match="per-example"):
        fit(compiled(loss=SmoothedCE("per-example")), AlphaSchedule(lambda step: 0.1))


@pytest.mark.tensorflow
@pytest.mark.slow
def test_mirrored_equals_single():
    script = Path(__file__).parents[2] / "support" / "schedule_on_replicas.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "same"

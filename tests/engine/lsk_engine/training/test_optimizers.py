import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.training.optimizers import WarmUp, build_optimizer


def rates(schedule, steps):
    return np.array([float(schedule(step)) for step in steps])


def test_inverse_sqrt_is_the_published_transformer_schedule():
    d_model, warmup = 512, 4000
    ours = WarmUp(d_model**-0.5 * warmup**-0.5, warmup, "inverse_sqrt")
    for t in (1, 100, 4000, 4001, 100_000):
        published = d_model**-0.5 * min(t**-0.5, t * warmup**-1.5)
        assert float(ours(t - 1)) == pytest.approx(published, rel=1e-5)


@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_decays_end_at_zero_and_peak_after_the_warm_up(decay):
    schedule = WarmUp(2.0, 10, decay, total_steps=110)
    assert float(schedule(9)) == pytest.approx(2.0)
    assert float(schedule(59)) == pytest.approx(1.0)
    assert float(schedule(109)) == pytest.approx(0.0, abs=1e-6)
    assert rates(schedule, range(10)) == pytest.approx(0.2 * np.arange(1, 11))


def test_constant_stays():
    assert rates(WarmUp(0.5, 0, "constant"), (0, 7, 10**6)) == pytest.approx(0.5)


def test_piecewise_falls_after_each_boundary():
    """As in the paper: 0.1, divided by 10 after 32,000 and after 48,000 steps."""
    schedule = WarmUp(0.1, 0, "piecewise", boundaries=(32_000, 48_000))
    steps = (0, 31_999, 32_000, 47_999, 48_000, 63_999)
    assert rates(schedule, steps) == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize(
    "schedule",
    [WarmUp(1.0, 5, "linear", 50), WarmUp(1.0, 0, "piecewise", boundaries=(3,), decay_factor=2.0)],
)
def test_schedule_round_trips(schedule):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()


def test_options_reach_the_optimizer():
    adam = build_optimizer(OptimizerConfig(beta_2=0.98, epsilon=1e-9, ema_momentum=0.99), 10)
    assert (adam.beta_2, adam.epsilon, adam.use_ema, adam.ema_momentum) == (0.98, 1e-9, True, 0.99)
    sgd = build_optimizer(OptimizerConfig(name="sgd", nesterov=True, weight_decay=1e-4), 10)
    assert (sgd.momentum, sgd.nesterov, sgd.weight_decay) == (0.9, True, 1e-4)


def test_without_decay_nothing_decays():
    for name in ("sgd", "adam", "adamw", "AdamW", "muon", "lion"):
        optimizer = build_optimizer(OptimizerConfig(name=name), 10)
        assert not optimizer.weight_decay
        assert not getattr(optimizer, "adam_weight_decay", None)
        if name == "muon":  # which multiplies by a double, outside of a graph
            continue
        kernel = keras.Variable(np.ones((2, 2)), name="kernel")
        optimizer.apply([np.zeros((2, 2), "float32")], [kernel])
        np.testing.assert_array_equal(kernel.numpy(), np.ones((2, 2)))
    assert build_optimizer(OptimizerConfig(name="adamw", weight_decay=0.1), 10).weight_decay == 0.1


def test_an_unknown_optimizer_is_told():
    with pytest.raises(InputError, match="Received: 'adamant'"):
        build_optimizer(OptimizerConfig(name="adamant"), 10)

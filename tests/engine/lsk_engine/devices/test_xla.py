"""What XLA compiles on replicas; `test_equality.py` checks that the results are the same."""

import pytest

from ls_base.errors import InputError
from lsk_engine.devices.strategy import choose_strategy
from lsk_engine.devices.xla import compile_in_replica, compiles_replicas, jit_compile
from lsk_engine.settings.resolving import resolve_config
from tiny_task import TinyTask

pytestmark = pytest.mark.tensorflow


def config(**training):
    settings = {f"training.{name}": value for name, value in training.items()}
    return resolve_config(TinyTask(), None, settings)


@pytest.mark.parametrize(
    ("wanted", "on_one_device"), [(None, "auto"), (False, False), (True, True)]
)
def test_replicas_are_compiled_only_on_request(wanted, on_one_device):
    chosen = config(jit_compile=wanted)
    assert (jit_compile(chosen), compiles_replicas(chosen)) == (on_one_device, False)
    with choose_strategy("mirrored").scope:
        assert (jit_compile(chosen), compiles_replicas(chosen)) == (False, wanted is True)


def test_synchronized_batch_norm_is_not_compiled():
    chosen = config(jit_compile=True, sync_batch_norm=True)
    assert not compiles_replicas(chosen)
    with (
        choose_strategy("mirrored").scope,
        pytest.raises(InputError, match="jit_compile=false with training.sync_batch_norm=true"),
    ):
        compiles_replicas(chosen)


def test_each_replica_has_a_program_with_its_own_variables():
    import tensorflow as tf

    scope = choose_strategy("mirrored").scope
    with scope:
        strategy = tf.distribute.get_strategy()
        variable = tf.Variable([1.0, 2.0])

    def shared(function):
        values = tf.function(lambda: strategy.run(function))()
        return [value.numpy().tolist() for value in strategy.experimental_local_results(values)]

    assert shared(compile_in_replica(lambda: 3 * variable)) == [[3.0, 6.0]] * 2
    # A common program has the first replica's variables, which is why there are several.
    for_all = tf.function(lambda: 3 * variable, jit_compile=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="located in device"):
        shared(for_all)

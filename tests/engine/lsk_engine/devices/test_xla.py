"""What XLA compiles on replicas; that it computes the same, `test_equality.py` holds."""

import pytest

from ls_base.errors import InputError
from lsk_engine.devices.strategy import choose
from lsk_engine.devices.xla import compiles_replicas, in_each_replica, jit_compile
from lsk_engine.settings.resolving import resolve_config
from tiny_task import TinyTask

pytestmark = pytest.mark.tensorflow


def config(**training):
    settings = {f"training.{name}": value for name, value in training.items()}
    return resolve_config(TinyTask(), None, settings)


@pytest.mark.parametrize(("asked", "of_one"), [(None, "auto"), (False, False), (True, True)])
def test_replicas_are_compiled_where_one_asks_for_it(asked, of_one):
    chosen = config(jit_compile=asked)
    assert (jit_compile(chosen), compiles_replicas(chosen)) == (of_one, False)
    with choose("mirrored").scope:
        assert (jit_compile(chosen), compiles_replicas(chosen)) == (False, asked is True)


def test_what_sums_over_replicas_is_not_compiled():
    chosen = config(jit_compile=True, sync_batch_norm=True)
    assert not compiles_replicas(chosen)
    with (
        choose("mirrored").scope,
        pytest.raises(InputError, match="jit_compile=false with training.sync_batch_norm=true"),
    ):
        compiles_replicas(chosen)


def test_each_replica_has_a_program_with_its_own_variables():
    import tensorflow as tf

    scope = choose("mirrored").scope
    with scope:
        strategy = tf.distribute.get_strategy()
        variable = tf.Variable([1.0, 2.0])

    def shared(function):
        values = tf.function(lambda: strategy.run(function))()
        return [value.numpy().tolist() for value in strategy.experimental_local_results(values)]

    assert shared(in_each_replica(lambda: 3 * variable)) == [[3.0, 6.0]] * 2
    # One program for all has the first one's: why there are several.
    for_all = tf.function(lambda: 3 * variable, jit_compile=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="located in device"):
        shared(for_all)

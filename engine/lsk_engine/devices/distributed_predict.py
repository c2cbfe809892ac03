"""A model that predicts on all devices: its copies, and a batch's rows among them."""

import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from ls_base.errors import InputError
from lsk_engine.devices.process_env import place
from lsk_engine.devices.replicas import num_shards
from lsk_engine.devices.strategy import Chosen, choose, one_device
from lsk_engine.devices.xla import jit_compile
from lsk_engine.settings.config import Config


def for_scoring(name: str, devices: int | None) -> Chosen:
    """Returns the strategy under which a finished run is scored.

    It is that of the training where its devices are there, else the one for what is there. A
    process of several scores on a device of its own, as the others need not come along.

    Args:
        name: The training's strategy.
        devices: The training's number of devices.
    """
    if name == "tpu" or place().count > 1:
        return one_device()
    try:
        return choose(name, devices)
    except InputError:  # it was trained on another machine
        return choose("auto")


def on_devices(model: keras.Model) -> keras.Model:
    """Returns a functional model as the present strategy's devices have it: a copy, if several."""
    if num_shards() == 1:
        return model
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


class Copies(NamedTuple):
    """A model's copies, one a device.

    Attributes:
        model: All of them, as one model, compiled to predict.
        devices: How many.
        mesh: On JAX, what they lie on.
    """

    model: keras.Model
    devices: int
    mesh: Any = None


def copies_of(model: keras.Model, config: Config) -> Copies | None:
    """Returns the copies of a run's model that it is scored with; `None`, if one device does it.

    They are made once for a model, and have its weights of now.

    Args:
        model: A functional model.
        config: The run's configuration.
    """
    chosen = for_scoring(config.training.strategy, config.training.devices)
    with chosen.scope:
        devices = num_shards()
        if devices == 1:
            return None
        known = _COPIES.get(model)
        if known is not None and known[0] == chosen[:2]:
            copies = known[1]
            copies.model.set_weights(model.get_weights())
            return copies
        copy = on_devices(model)
        copy.compile(jit_compile=jit_compile(config))
        mesh = None
        if keras.config.backend() == "jax":
            mesh = keras.distribution.distribution().device_mesh.backend_mesh
    copies = Copies(copy, devices, mesh)
    _COPIES[model] = (chosen[:2], copies)
    return copies


def predictor(model: keras.Model, config: Config) -> Callable[[Mapping[str, Any]], Any]:
    """Returns what `model.predict_on_batch` is, computed by all devices of a run's scoring.

    Args:
        model: A functional model, compiled.
        config: The run's configuration.
    """
    found = model_on_devices(model, config)
    return found.predict_on_batch if found is model else found


def model_on_devices(model: keras.Model, config: Config) -> Any:
    """Returns a model for what reads one as a function: itself, or what all devices compute of it.

    Args:
        model: A functional model, compiled.
        config: The run's configuration.
    """
    copies = copies_of(model, config)
    return model if copies is None else functools.partial(predict_rows, copies.model)


def predict_rows(model: keras.Model, inputs: Mapping[str, Any]):
    """Returns what `predict_on_batch` does, computed by all devices that the model is on.

    Args:
        model: A compiled model, built under a strategy of this process alone.
        inputs: Arrays by name, with as many rows each.
    """
    if keras.config.backend() == "tensorflow":
        return _on_replicas(model, inputs)
    if keras.config.backend() == "jax":
        return _on_mesh(model, inputs)
    return model.predict_on_batch(inputs)


def filled(inputs: Any, shards: int) -> tuple[int, Any]:
    """Returns how many rows there are, and them with copies of some, a multiple of the shards.

    Args:
        inputs: A pytree of arrays with as many rows each; those without an axis stay as they are.
        shards: Among how many they are split.
    """
    arrays = keras.tree.map_structure(np.asarray, inputs)
    rows = next(len(array) for array in keras.tree.flatten(arrays) if array.ndim)
    taken = np.resize(np.arange(rows), -(-rows // shards) * shards)
    return rows, keras.tree.map_structure(lambda x: x[taken] if x.ndim else x, arrays)


def split_by_replica(inputs: Any, strategy) -> Any:
    """Returns a pytree of arrays as TensorFlow's replicas take them, an equal part of rows each."""
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync

    def part(array: np.ndarray):
        parts = np.split(array, replicas) if array.ndim else [array] * replicas
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    return keras.tree.map_structure(part, inputs)


def _on_replicas(model: keras.Model, inputs: Mapping[str, Any]):
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return model.predict_on_batch(inputs)
    rows, whole = filled(inputs, strategy.num_replicas_in_sync)
    # Under its strategy Keras runs a replica's part in each, and puts the results together.
    found = model.predict_on_batch(split_by_replica(whole, strategy))
    return keras.tree.map_structure(lambda array: array[:rows], found)


def _on_mesh(model: keras.Model, inputs: Mapping[str, Any]):
    import jax

    sharding = getattr(model.variables[0].value, "sharding", None) if model.variables else None
    mesh = getattr(sharding, "mesh", None)
    if mesh is None or mesh.size == 1:
        return model.predict_on_batch(inputs)
    rows, whole = filled(inputs, mesh.size)
    by_row = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(mesh.axis_names[0]))
    found = model.predict_on_batch(jax.device_put(whole, by_row))
    return keras.tree.map_structure(lambda array: array[:rows], found)


# Of a model, which strategy its copies were made under, and them.
_COPIES: weakref.WeakKeyDictionary[keras.Model, tuple[tuple[str, str], Copies]] = (
    weakref.WeakKeyDictionary()
)

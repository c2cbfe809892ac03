"""Predictions on all devices: copies of a model, and the rows of a batch split among them."""

import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from ls_base.errors import InputError
from lsk_engine.devices.process_env import find_process
from lsk_engine.devices.replicas import num_shards
from lsk_engine.devices.strategy import ActiveStrategy, choose_strategy, one_device
from lsk_engine.devices.xla import jit_compile
from lsk_engine.settings.config import Config


class DeviceCopies(NamedTuple):
    """Copies of a model, one on each device.

    Attributes:
        model: All copies as one model, compiled to predict.
        devices: Number of devices.
        mesh: On JAX, the mesh of the devices; `None` on TensorFlow.
    """

    model: keras.Model
    devices: int
    mesh: Any = None


def scoring_strategy(name: str, devices: int | None) -> ActiveStrategy:
    """Returns the strategy under which a finished run is scored.

    It is that of the training if its devices exist, else `auto`. One of several processes scores on
    one device, because the others need not take part.

    Args:
        name: The training's strategy.
        devices: The training's number of devices.
    """
    if name == "tpu" or find_process().count > 1:
        return one_device()
    try:
        return choose_strategy(name, devices)
    except InputError:  # trained on another machine
        return choose_strategy("auto")


def copy_to_devices(model: keras.Model, config: Config) -> DeviceCopies | None:
    """Returns copies of a run's model on the devices that score it; `None` for one device.

    The copies are made once per model, and get its current weights at each call.

    Args:
        model: A functional model.
        config: The run's configuration.
    """
    strategy = scoring_strategy(config.training.strategy, config.training.devices)
    with strategy.scope:
        devices = num_shards()
        if devices == 1:
            return None
        known = _COPIES.get(model)
        if known is not None and known[0] == strategy[:2]:
            copies = known[1]
            copies.model.set_weights(model.get_weights())
            return copies
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        copy.compile(jit_compile=jit_compile(config))
        mesh = None
        if keras.config.backend() == "jax":
            mesh = keras.distribution.distribution().device_mesh.backend_mesh
    copies = DeviceCopies(copy, devices, mesh)
    _COPIES[model] = (strategy[:2], copies)
    return copies


def make_predictor(model: keras.Model, config: Config) -> Callable[[Mapping[str, Any]], Any]:
    """Returns a function like `model.predict_on_batch` that uses all devices of a run's scoring.

    Args:
        model: A functional model, compiled.
        config: The run's configuration.
    """
    found = model_on_devices(model, config)
    return found.predict_on_batch if found is model else found


def model_on_devices(model: keras.Model, config: Config) -> Any:
    """Returns a model for code that calls it: itself, or a function that uses all devices.

    Args:
        model: A functional model, compiled.
        config: The run's configuration.
    """
    copies = copy_to_devices(model, config)
    return model if copies is None else functools.partial(predict_rows, copies.model)


def predict_rows(model: keras.Model, inputs: Mapping[str, Any]):
    """Returns `model.predict_on_batch(inputs)`, computed on all devices that the model is on.

    Args:
        model: A compiled model, built under a strategy of this process alone.
        inputs: Arrays by name, with the same number of rows each.
    """
    if keras.config.backend() == "tensorflow" and model.distribute_strategy is not None:
        strategy = model.distribute_strategy
        devices = strategy.num_replicas_in_sync

        # Under its strategy, Keras runs each replica on its part, and joins the results.
        def place(arrays):
            return split_by_replica(arrays, strategy)
    elif keras.config.backend() == "jax" and model.variables:
        import jax

        mesh: Any = getattr(getattr(model.variables[0].value, "sharding", None), "mesh", None)
        devices = 1 if mesh is None else mesh.size

        def place(arrays):
            by_row = jax.sharding.PartitionSpec(mesh.axis_names[0])
            return jax.device_put(arrays, jax.sharding.NamedSharding(mesh, by_row))
    else:
        devices = 1
    if devices == 1:
        return model.predict_on_batch(inputs)
    rows, padded = pad_to_multiple(inputs, devices)
    outputs = model.predict_on_batch(place(padded))
    return keras.tree.map_structure(lambda array: array[:rows], outputs)


def pad_to_multiple(inputs: Any, shards: int) -> tuple[int, Any]:
    """Repeats rows of arrays until their number is a multiple of the shards.

    Args:
        inputs: A pytree of arrays with the same number of rows; scalars are left alone.
        shards: Number of equal parts that the rows are to be split into.

    Returns:
        The original number of rows, and the padded arrays.
    """
    arrays = keras.tree.map_structure(np.asarray, inputs)
    rows = next(len(array) for array in keras.tree.flatten(arrays) if array.ndim)
    indices = np.resize(np.arange(rows), -(-rows // shards) * shards)
    return rows, keras.tree.map_structure(lambda x: x[indices] if x.ndim else x, arrays)


def split_by_replica(inputs: Any, strategy) -> Any:
    """Returns a pytree of arrays for TensorFlow's replicas, each with an equal part of the rows."""
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync

    def split(array: np.ndarray):
        parts = np.split(array, replicas) if array.ndim else [array] * replicas
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    return keras.tree.map_structure(split, inputs)


# The copies of a model, with the name and devices of the strategy that they were made under.
_COPIES: weakref.WeakKeyDictionary[keras.Model, tuple[tuple[str, str], DeviceCopies]] = (
    weakref.WeakKeyDictionary()
)

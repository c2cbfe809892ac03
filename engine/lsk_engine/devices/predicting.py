"""A model that predicts on all devices: its copies, and a batch's rows among them."""

import keras
import numpy as np

from ls_base.errors import InputError
from lsk_engine.devices.addresses import place
from lsk_engine.devices.replicas import num_shards
from lsk_engine.devices.strategy import Chosen, choose, one_device


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


def predict_rows(model: keras.Model, inputs: dict[str, np.ndarray]):
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


def _filled(inputs: dict[str, np.ndarray], shards: int) -> tuple[int, dict[str, np.ndarray]]:
    """Returns how many rows there are, and them with copies of some, a multiple of the shards."""
    rows = len(next(iter(inputs.values())))
    filled = np.resize(np.arange(rows), -(-rows // shards) * shards)
    return rows, {name: array[filled] for name, array in inputs.items()}


def _on_replicas(model: keras.Model, inputs: dict[str, np.ndarray]):
    import tensorflow as tf

    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return model.predict_on_batch(inputs)
    rows, filled = _filled(inputs, replicas)

    def part(array: np.ndarray):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(array, replicas)[context.replica_id_in_sync_group])
        )

    # Under its strategy Keras runs a replica's part in each, and puts the results together.
    found = model.predict_on_batch({name: part(array) for name, array in filled.items()})
    return keras.tree.map_structure(lambda array: array[:rows], found)


def _on_mesh(model: keras.Model, inputs: dict[str, np.ndarray]):
    import jax

    sharding = getattr(model.variables[0].value, "sharding", None) if model.variables else None
    mesh = getattr(sharding, "mesh", None)
    if mesh is None or mesh.size == 1:
        return model.predict_on_batch(inputs)
    rows, filled = _filled(inputs, mesh.size)
    by_row = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(mesh.axis_names[0]))
    found = model.predict_on_batch(jax.device_put(filled, by_row))
    return keras.tree.map_structure(lambda array: array[:rows], found)

"""A search on all devices: whole batches, one for each, as one device would decode them."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras
import numpy as np

from ls_keras.decoding import ModelSearch
from lsk_engine.devices.distributed_predict import copies_of, filled, split_by_replica
from lsk_engine.devices.xla import in_each_replica
from lsk_engine.settings.config import Config

Search = TypeVar("Search", bound=ModelSearch)


def searching(
    kind: type[Search], model: keras.Model, config: Config, examples: int, **options: Any
) -> Search:
    """Returns the search of a run's model, on the devices that the run is scored on.

    With several, each has a copy of the weights and decodes a batch of its own at a time; a batch
    has the rows that it has on one device, so that what is found is the same.

    Args:
        kind: The task's search.
        model: The run's model.
        config: The run's configuration.
        examples: How many are to be decoded: what fits into one batch is left to one device.
        options: What the search is besides: `num_return`, `unsmooth`.
    """
    jit_compile = config.training.jit_compile is True
    decoding: Any = config.decoding
    copies = None if examples <= decoding.batch_size else copies_of(model, config)
    if copies is None:
        return kind.of(model, decoding, jit_compile=jit_compile, **options)
    if copies.mesh is None:
        compiler = functools.partial(_on_replicas, copies.model.distribute_strategy)
    else:
        compiler = functools.partial(_on_mesh, copies.mesh)
    return kind.of(
        copies.model,
        decoding,
        jit_compile=jit_compile,
        compiler=compiler,
        at_once=copies.devices,
        **options,
    )


def _on_replicas(
    strategy, function: Callable, *, variables: Sequence, jit_compile: bool
) -> Callable:
    """Compiles a function for TensorFlow's replicas: one graph, in which each has its own loop."""
    import tensorflow as tf

    of_replica = in_each_replica(function) if jit_compile else function

    @tf.function(autograph=False)
    def run(*arguments):
        return strategy.run(of_replica, args=arguments)

    def call(*arguments):
        rows, whole = filled(arguments, strategy.num_replicas_in_sync)
        found = run(*split_by_replica(whole, strategy))

        def joined(value):
            parts = strategy.experimental_local_results(value)
            return np.concatenate([part.numpy() for part in parts])[:rows]

        return keras.tree.map_structure(joined, tuple(found))

    return call


def _on_mesh(mesh, function: Callable, *, variables: Sequence, jit_compile: bool) -> Callable:
    """Compiles a function for JAX's devices: one program, whose loop each runs by itself."""
    import jax

    every, by_row = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(mesh.axis_names[0])

    def of_device(values, arguments):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return tuple(function(*arguments))

    @jax.jit
    def run(values, arguments):
        # Said of each device, not left to the compiler: it would gather all beams at each step.
        return jax.shard_map(
            of_device,
            mesh=mesh,
            in_specs=(every, tuple(by_row if x.ndim else every for x in arguments)),
            out_specs=by_row,
            check_vma=False,
        )(values, arguments)

    def call(*arguments):
        rows, whole = filled(arguments, mesh.size)
        found = run([variable.value for variable in variables], whole)
        return tuple(np.asarray(value)[:rows] for value in found)

    return call

"""Decoding on all devices: each decodes whole batches, exactly as one device would."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras
import numpy as np

from ls_keras.decoding import ModelSearch
from lsk_engine.devices.distributed_predict import (
    copy_to_devices,
    pad_to_multiple,
    split_by_replica,
)
from lsk_engine.devices.xla import compile_in_replica
from lsk_engine.settings.config import Config

Search = TypeVar("Search", bound=ModelSearch)


def make_search(
    kind: type[Search], model: keras.Model, config: Config, examples: int, **options: Any
) -> Search:
    """Returns the search of a run's model on the devices that score the run.

    With several devices, each has a copy of the weights and decodes one batch at a time. The
    batches have the same rows as on one device, so the results are the same.

    Args:
        kind: The task's class of searches.
        model: The run's model.
        config: The run's configuration.
        examples: Number of examples to decode; a single batch is decoded by one device.
        options: Further arguments of the search: `num_return`, `unsmooth`.
    """
    jit_compile = config.training.jit_compile is True
    decoding: Any = config.decoding
    copies = None if examples <= decoding.batch_size else copy_to_devices(model, config)
    if copies is None:
        return kind.for_model(model, decoding, jit_compile=jit_compile, **options)
    if copies.mesh is None:
        compiler = functools.partial(_compile_for_replicas, copies.model.distribute_strategy)
    else:
        compiler = functools.partial(_compile_for_mesh, copies.mesh)
    return kind.for_model(
        copies.model,
        decoding,
        jit_compile=jit_compile,
        compiler=compiler,
        at_once=copies.devices,
        **options,
    )


def _compile_for_replicas(
    strategy, function: Callable, *, variables: Sequence, jit_compile: bool
) -> Callable:
    """Compiles a function for TensorFlow's replicas: one graph in which each has its own loop."""
    import tensorflow as tf

    in_replica = compile_in_replica(function) if jit_compile else function

    @tf.function(autograph=False)
    def run(*arguments):
        return strategy.run(in_replica, args=arguments)

    def call(*arguments):
        rows, padded = pad_to_multiple(arguments, strategy.num_replicas_in_sync)
        results = run(*split_by_replica(padded, strategy))

        def join(value):
            parts = strategy.experimental_local_results(value)
            return np.concatenate([part.numpy() for part in parts])[:rows]

        return keras.tree.map_structure(join, tuple(results))

    return call


def _compile_for_mesh(
    mesh, function: Callable, *, variables: Sequence, jit_compile: bool
) -> Callable:
    """Compiles a function for JAX's devices: one program whose loop each runs by itself."""
    import jax

    every, by_row = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(mesh.axis_names[0])

    def on_device(values, arguments):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return tuple(function(*arguments))

    @jax.jit
    def run(values, arguments):
        # Mapped explicitly: the compiler's own partitioning gathers all beams at each step.
        return jax.shard_map(
            on_device,
            mesh=mesh,
            in_specs=(every, tuple(by_row if x.ndim else every for x in arguments)),
            out_specs=by_row,
            check_vma=False,
        )(values, arguments)

    def call(*arguments):
        rows, padded = pad_to_multiple(arguments, mesh.size)
        results = run([variable.value for variable in variables], padded)
        return tuple(np.asarray(value)[:rows] for value in results)

    return call

"""A step's batch in several parts: the update of the whole, with the memory of a part."""

import keras
from keras import ops

from lsk_engine.devices.xla import in_each_replica


def accumulate(model: keras.Model, parts: int, *, xla: bool = False) -> None:
    """Makes a compiled model compute the gradient of each batch in parts, one after another.

    The parts' losses and gradients are summed, then there is one update. So a step is a step:
    clipping, loss scaling, moving averages, schedules and checkpoints see what they would see of
    the whole batch. Weights are those of the whole batch, `lsk_engine.data.batches`; additional
    losses of layers count as their mean over the parts. Not the same are what looks at all rows of
    a batch, BatchNormalization, and dropout, which draws for each part.

    On TensorFlow the parts are written out in the graph, `parts` times what a step is: replicas
    can't synchronize inside a loop. On JAX they are a loop of the program.

    Args:
        model: A model that was compiled without metrics, with a loss that is a sum.
        parts: How many; they divide the rows of each replica's share of a batch.
        xla: Whether XLA compiles what each of TensorFlow's replicas computes of a part.
    """
    if parts == 1 and not xla:
        return
    if keras.config.backend() == "tensorflow":
        model.train_step = _on_tensorflow(model, parts, xla=xla)
        return
    steps = {"jax": _on_jax, "torch": _on_torch}
    model.train_step = steps[keras.config.backend()](model, parts)


def _part_of(data, index, parts: int):
    """Returns the rows of a part, of weights that make the mean over parts the sum of the whole.

    Every `parts`-th row, so that a part has the same rows on any number of replicas.
    """
    x, y, weights = keras.tree.map_structure(lambda array: array[index::parts], data)
    return x, y, weights * parts


def _tracked(model: keras.Model, loss, rows) -> dict:
    """Updates the mean of the losses, as a step of Keras's own does, and returns it."""
    tracker = next(metric for metric in model.metrics if metric.name == "loss")
    tracker.update_state(loss, sample_weight=rows)
    return model.get_metrics_result()


def _on_tensorflow(model: keras.Model, parts: int, *, xla: bool):
    import tensorflow as tf

    replicas = tf.distribute.get_strategy().num_replicas_in_sync

    def gradients(x, y, weights):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True), weights, training=True)
            # Of this replica: the optimizer sums over all, as Keras's own step has it.
            scaled = model.optimizer.scale_loss(loss)
        found = tape.gradient(scaled, model.trainable_weights)
        return loss, [g if g is None else tf.convert_to_tensor(g) / parts for g in found]

    of_part = in_each_replica(gradients) if xla else gradients

    def train_step(data):
        total: list = []
        losses: list = []
        for index in range(parts):
            # Else all parts may be in memory at once: nothing makes one wait for another.
            with tf.control_dependencies([g for g in total if g is not None]):
                x, y, weights = _part_of(keras.tree.map_structure(tf.identity, data), index, parts)
            loss, found = of_part(x, y, weights)
            total = (
                found
                if not index
                else [a if b is None else a + b for a, b in zip(total, found, strict=True)]
            )
            losses.append(loss)
        model.optimizer.apply_gradients(zip(total, model.trainable_weights, strict=True))
        return _tracked(model, tf.add_n(losses) / parts * replicas, ops.shape(data[1])[0])

    return train_step


def _on_torch(model: keras.Model, parts: int):
    import torch

    def train_step(data):
        model.zero_grad()
        losses = []
        for index in range(parts):
            x, y, weights = _part_of(data, index, parts)
            loss = model.compute_loss(x, y, model(x, training=True), weights, training=True) / parts
            losses.append(loss.detach())
            model.optimizer.scale_loss(loss).backward()
        weights = list(model.trainable_weights)
        with torch.no_grad():
            model.optimizer.apply([v.value.grad for v in weights], weights)
        return _tracked(model, sum(losses), len(data[1]))

    return train_step


def _on_jax(model: keras.Model, parts: int):
    import jax

    def train_step(state, data):
        trainable, others, optimizer, metrics = state

        def part(carry, rows):
            gradients, loss, others = carry
            x, y, weights = rows
            found, others, gradient = _gradient(model, state, others, (x, y, weights * parts))
            gradients = jax.tree.map(lambda a, b: a + b / parts, gradients, gradient)
            return (gradients, loss + found / parts, others), None

        # (rows, …) → (parts, rows of a part, …)
        split = jax.tree.map(lambda a: _split(a, parts), data)
        zeros = jax.tree.map(jax.numpy.zeros_like, trainable)
        carry = (zeros, jax.numpy.zeros(()), others)
        (gradients, loss, others), _ = jax.lax.scan(part, carry, split)
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
        with keras.StatelessScope(
            state_mapping=list(zip(model.metrics_variables, metrics, strict=True))
        ) as scope:
            logs = _tracked(model, loss, data[1].shape[0])
        metrics = [scope.get_current_value(v) for v in model.metrics_variables]
        return logs, (trainable, others, optimizer, metrics)

    return train_step


def _split(array, parts: int):
    """Returns rows in parts, of which each takes some of every device's rows.

    A part of consecutive rows would be the rows of one device, or of a few.
    """
    size = array.shape[0] // parts
    return array.reshape(size, parts, *array.shape[1:]).swapaxes(0, 1)


def _gradient(model: keras.Model, state, others, data):
    """Returns the loss of some rows, the variables that are not trained, and the gradient."""
    import jax

    trainable, _, optimizer, metrics = state
    x, y, weights = data

    def scaled_loss(trainable):
        loss, (unscaled, _, changed, _) = model.compute_loss_and_updates(
            *(trainable, others, metrics, x, y, weights),
            training=True,
            optimizer_variables=optimizer,
        )
        return loss, (unscaled, changed)

    (_, (unscaled, changed)), gradient = jax.value_and_grad(scaled_loss, has_aux=True)(trainable)
    return unscaled, changed, gradient

"""Gradient accumulation: the update of a whole batch with the memory of a part."""

import keras
from keras import ops

from lsk_engine.devices.xla import compile_in_replica


def accumulate_gradients(model: keras.Model, parts: int, *, xla: bool = False) -> None:
    """Replaces a model's train step by one that computes the gradient of each batch in parts.

    Losses and gradients of the parts are summed before the single update, so clipping, loss
    scaling, moving averages, schedules and checkpoints work as for the whole batch. Weights of
    examples are those of the whole batch (`lsk_engine.data.batches`); additional losses of layers
    count as their mean over the parts. Layers that use all rows of a batch differ:
    BatchNormalization, and dropout, which draws for each part.

    On TensorFlow the graph contains each part, because replicas cannot synchronize inside a loop.
    On JAX the parts are a loop of the program.

    Args:
        model: A model that was compiled without metrics, with a loss that is a sum.
        parts: Number of parts; it divides the rows of each replica's share of a batch.
        xla: Whether XLA compiles each TensorFlow replica's computation of a part.
    """
    if parts == 1 and not xla:
        return
    if keras.config.backend() == "tensorflow":
        model.train_step = _on_tensorflow(model, parts, xla=xla)
        return
    steps = {"jax": _on_jax, "torch": _on_torch}
    model.train_step = steps[keras.config.backend()](model, parts)


def _select_part(data, index, parts: int):
    """Returns the rows of a part, with weights that make the mean over parts the whole's sum.

    Takes every `parts`-th row, so that a part has the same rows on any number of replicas.
    """
    x, y, weights = keras.tree.map_structure(lambda array: array[index::parts], data)
    return x, y, weights * parts


def _track_loss(model: keras.Model, loss, rows) -> dict:
    """Updates and returns the mean loss, as Keras's own train step does."""
    tracker = next(metric for metric in model.metrics if metric.name == "loss")
    tracker.update_state(loss, sample_weight=rows)
    return model.get_metrics_result()


def _on_tensorflow(model: keras.Model, parts: int, *, xla: bool):
    import tensorflow as tf

    replicas = tf.distribute.get_strategy().num_replicas_in_sync

    def gradients(x, y, weights):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True), weights, training=True)
            # This replica's gradient: the optimizer sums over replicas, as in Keras's own step.
            scaled = model.optimizer.scale_loss(loss)
        grads = tape.gradient(scaled, model.trainable_weights)
        return loss, [g if g is None else tf.convert_to_tensor(g) / parts for g in grads]

    compute = compile_in_replica(gradients) if xla else gradients

    def train_step(data):
        total: list = []
        losses: list = []
        for index in range(parts):
            # Without this dependency all parts may be in memory at the same time.
            with tf.control_dependencies([g for g in total if g is not None]):
                x, y, weights = _select_part(
                    keras.tree.map_structure(tf.identity, data), index, parts
                )
            loss, grads = compute(x, y, weights)
            total = (
                [a if b is None else a + b for a, b in zip(total, grads, strict=True)]
                if total
                else grads
            )
            losses.append(loss)
        model.optimizer.apply_gradients(zip(total, model.trainable_weights, strict=True))
        return _track_loss(model, tf.add_n(losses) / parts * replicas, ops.shape(data[1])[0])

    return train_step


def _on_torch(model: keras.Model, parts: int):
    import torch

    def train_step(data):
        model.zero_grad()
        losses = []
        for index in range(parts):
            x, y, weights = _select_part(data, index, parts)
            loss = model.compute_loss(x, y, model(x, training=True), weights, training=True) / parts
            losses.append(loss.detach())
            model.optimizer.scale_loss(loss).backward()
        weights = list(model.trainable_weights)
        with torch.no_grad():
            model.optimizer.apply([v.value.grad for v in weights], weights)
        return _track_loss(model, sum(losses), len(data[1]))

    return train_step


def _on_jax(model: keras.Model, parts: int):
    import jax

    def train_step(state, data):
        trainable, others, optimizer, metrics = state

        def part(carry, rows):
            gradients, loss, others = carry
            x, y, weights = rows
            found, others, gradient = _compute_gradient(
                model, state, others, (x, y, weights * parts)
            )
            gradients = jax.tree.map(lambda a, b: a + b / parts, gradients, gradient)
            return (gradients, loss + found / parts, others), None

        # (rows, …) → (parts, rows of a part, …)
        split = jax.tree.map(lambda a: _split_rows(a, parts), data)
        zeros = jax.tree.map(jax.numpy.zeros_like, trainable)
        carry = (zeros, jax.numpy.zeros(()), others)
        (gradients, loss, others), _ = jax.lax.scan(part, carry, split)
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
        with keras.StatelessScope(
            state_mapping=list(zip(model.metrics_variables, metrics, strict=True))
        ) as scope:
            logs = _track_loss(model, loss, data[1].shape[0])
        metrics = [scope.get_current_value(v) for v in model.metrics_variables]
        return logs, (trainable, others, optimizer, metrics)

    return train_step


def _split_rows(array, parts: int):
    """Returns rows `(parts, rows / parts, …)`, each part with some rows of every device.

    A part of consecutive rows would be on one device, or on a few.
    """
    size = array.shape[0] // parts
    return array.reshape(size, parts, *array.shape[1:]).swapaxes(0, 1)


def _compute_gradient(model: keras.Model, state, others, data):
    """Returns the loss of some rows, the non-trainable variables, and the gradient."""
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

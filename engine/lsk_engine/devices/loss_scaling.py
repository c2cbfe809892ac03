"""Loss scaling in 16 bits where several replicas each see a part of the gradient."""

import keras

from lsk_engine.devices.replicas import num_replicas, sum_over_replicas


class ScalesTogether(keras.optimizers.LossScaleOptimizer):
    """Keras's own, of which all replicas leave out a step if one of them has to.

    Keras asks the first replica only, as if gradients were summed by then: one that overflows
    elsewhere would put infinity into the weights.
    """

    def check_finite(self, grads):
        """Returns whether the gradients of all replicas are finite."""
        finite = super().check_finite(grads)
        (wrong,) = sum_over_replicas([1.0 - keras.ops.cast(finite, "float32")])
        return keras.ops.equal(wrong, 0.0)


def scaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns what `compile` takes in the present precision, under the present strategy."""
    policy = keras.config.dtype_policy()
    if num_replicas() == 1 or policy.name != "mixed_float16":
        return optimizer  # Keras wraps it where it has to
    return ScalesTogether(optimizer)

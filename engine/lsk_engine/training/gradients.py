"""What is done to gradients between back-propagation and the optimizer's update."""

import dataclasses

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.keras_internals import variables_of
from lsk_engine.devices.replicas import num_replicas, sum_over_replicas


@dataclasses.dataclass(frozen=True)
class GradientTransform:
    """Weighs the loss, adds an L2 penalty, clips, and slows the layer `logits`.

    For the gradient g of a weight w,

        g ← c · (loss_weight · g + l2 · w),  c = min(1, global_clipnorm / ‖g‖)

    where ‖g‖ is the norm over all weights together, and the second term is there for penalized
    weights only. Then g ← (1 − dampening) · g and, in the layer `logits`,
    g ← logits_lr_multiplier · g: with SGD, momentum or not, that is a learning rate of its own.

    Attributes:
        loss_weight: Factor on the loss, before the penalty is added and before clipping. The loss
            that is reported has no factor.
        l2: Coefficient of the penalty l2/2 · Σ w²; 0: none.
        l2_layers: Names of the layers whose weights are penalized; none: all. Weights of rank 1
            (biases, γ and β of normalization) never are.
        global_clipnorm: Largest norm of all gradients together; 0: no limit.
        dampening: As in PyTorch's SGD: 0.9 with a momentum of 0.9 makes the velocity the
            running mean 0.9 · previous + 0.1 · current of the gradients.
        logits_lr_multiplier: The learning rate of the layer `logits`, relative to the others'.
    """

    loss_weight: float = 1.0
    l2: float = 0.0
    l2_layers: tuple[str, ...] = ()
    global_clipnorm: float = 0.0
    dampening: float = 0.0
    logits_lr_multiplier: float = 1.0

    def penalizes(self, variable: keras.Variable) -> bool:
        """Returns whether the L2 penalty counts `variable` in."""
        if not self.l2 or len(variable.shape) < 2:
            return False
        return not self.l2_layers or bool(_layers(variable) & set(self.l2_layers))

    def check(self, variables: list[keras.Variable]) -> None:
        """Rejects layer names without any variable.

        Raises:
            InputError: With the names that there are.
        """
        known = sorted({name for v in variables for name in _layers(v)})
        wanted = [*self.l2_layers, *(["logits"] if self.logits_lr_multiplier != 1 else [])]
        for name in wanted:
            if name not in known:
                raise InputError(
                    f"Expected a layer with weights: {', '.join(known)}. Received: {name!r}"
                )

    def __call__(self, gradients: list, variables: list[keras.Variable]) -> list:
        """Transforms gradients.

        Args:
            gradients: Tensors, one a variable; `None` where the loss does not depend on it. Under a
                TensorFlow strategy, each replica's share: the optimizer sums them over the
                replicas.
            variables: The trainable variables.

        Returns:
            Tensors to pass to the optimizer, `None` where there was none.
        """
        # A penalty reaches what the loss does not; on JAX, whose gradients are zeros, anyway.
        gradients = [
            ops.zeros_like(v) if g is None and self.l2 and self.penalizes(v) else g
            for g, v in zip(gradients, variables, strict=True)
        ]
        reached = [i for i, g in enumerate(gradients) if g is not None]
        whole: list = [None] * len(gradients)
        if not reached:
            return whole
        transformed = self._transformed(
            [_dense(gradients[i]) for i in reached], [variables[i] for i in reached]
        )
        for i, gradient in zip(reached, transformed, strict=True):
            whole[i] = gradient
        return whole

    def _transformed(self, gradients: list, variables: list[keras.Variable]) -> list:
        replicas = num_replicas()
        if replicas > 1 and self.global_clipnorm:
            # The norm is that of the sum over replicas, not of each one's share.
            gradients = sum_over_replicas(gradients)
            whole = self._of_sum(gradients, variables, self.l2)
            return [g / replicas for g in whole]
        return self._of_sum(gradients, variables, self.l2 / replicas)

    def _of_sum(self, gradients, variables, l2):
        gradients = [g * self.loss_weight for g in gradients]
        if l2:
            gradients = [
                g + l2 * ops.cast(v, g.dtype) if self.penalizes(v) else g
                for g, v in zip(gradients, variables, strict=True)
            ]
        if self.global_clipnorm:
            gradients = clip_by_global_norm(gradients, self.global_clipnorm)
        rates = [self.logits_lr_multiplier if "logits" in _layers(v) else 1.0 for v in variables]
        return [g * (1 - self.dampening) * r for g, r in zip(gradients, rates, strict=True)]


def clip_by_global_norm(gradients: list, limit: float) -> list:
    """Scales gradients down together, so that their joint norm is at most `limit`.

    Args:
        gradients: Tensors of any shapes.
        limit: Above 0.

    Example:
    >>> [round(float(g), 3) for g in clip_by_global_norm([ops.array(3.0), ops.array(4.0)], 1.0)]
    [0.6, 0.8]

    References:
        Pascanu et al. (2013), *On the difficulty of training recurrent neural networks*.
    """
    norm = ops.sqrt(sum(ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients))
    scale = limit / ops.maximum(norm, limit)
    return [g * ops.cast(scale, g.dtype) for g in gradients]


class GradientTransformMixin:
    """Mixin for a Keras optimizer whose `transform`, a `GradientTransform`, sees gradients first.

    Keras's own clipping would clip each replica's share of the gradient, before they are summed.
    """

    transform: GradientTransform

    def build(self, variables) -> None:
        """Checks that the layers that `transform` names are there."""
        self.transform.check(variables)
        super().build(variables)  # type: ignore[misc]

    def apply(self, grads, trainable_variables=None) -> None:
        """Transforms the gradients, then updates the variables."""
        variables = trainable_variables
        if variables is None:
            variables = variables_of(self)
        super().apply(  # type: ignore[misc]
            self.transform(list(grads), list(variables)), trainable_variables
        )


def _layers(variable: keras.Variable) -> set[str]:
    return set(variable.path.split("/")[:-1])


def _dense(gradient):
    """TensorFlow's gradient of an embedding, `IndexedSlices`, knows no arithmetic."""
    if hasattr(gradient, "indices") and hasattr(gradient, "dense_shape"):
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)
    return gradient

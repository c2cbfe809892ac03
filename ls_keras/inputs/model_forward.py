"""Runs a model in a compiled function that also returns the mask of its output."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.keras_internals import sync_state
from ls_keras.backend.tensors import mask_of
from ls_keras.inputs.model_outputs import Output, select_output


class Forward:
    """A compiled function of a model: `x → (output, mask or None)`.

    It returns the result of `predict_on_batch` with the mask, which `predict` drops. It is compiled
    once per input shape, as `predict` is; PyTorch runs it without gradients. Each call reads the
    current weights, also during training.

    Args:
        model: A `keras.Model`, or a function of x, which is called directly.
        output: Selects one of several outputs; see `ls_keras.inputs.model_outputs`.

    Example:
    >>> import keras, numpy as np
    >>> from ls_keras.inputs.model_forward import Forward
    >>> tokens = keras.Input((None,), dtype="int32")
    >>> embedded = keras.layers.Embedding(4, 2, mask_zero=True)(tokens)
    >>> logits, mask = Forward(keras.Model(tokens, embedded))(np.array([[3, 1, 0]]))
    >>> tuple(logits.shape), keras.ops.convert_to_numpy(mask).tolist()
    ((1, 3, 2), [[True, True, False]])
    """

    def __init__(self, model, output: Output = None):
        self.model = model
        self.output = output
        self._run: Callable | None = None

    @property
    def names(self) -> list[str]:
        """The names of the model's outputs, if they form a list."""
        if isinstance(self.model, keras.Sequential):
            return [self.model.layers[-1].name]
        return list(getattr(self.model, "output_names", None) or ())

    def __call__(self, x) -> tuple[Any, Any | None]:
        """Runs the model on a batch of inputs."""
        if not isinstance(self.model, keras.Model):
            return self._choose(self.model(x))
        if hasattr(self.model, "preprocess_samples"):  # a task of Keras Hub, as in its `predict`
            x = keras.tree.map_structure(ops.convert_to_numpy, self.model.preprocess_samples(x))
        if self._run is None:
            if not self.model.built:
                self.model(x, training=False)
            self._run = _COMPILERS[keras.config.backend()](self.model, self._choose)
        return self._run(x)

    def _choose(self, outputs) -> tuple[Any, Any | None]:
        output = select_output(outputs, self.output, self.names)
        return output, mask_of(output)


def _tensorflow(model, choose) -> Callable:
    import tensorflow as tf

    @no_autograph
    def run(x):
        return choose(model.predict_step((x,)))

    if not model.run_eagerly:
        run = tf.function(run, reduce_retracing=True, jit_compile=model.jit_compile or None)
    return lambda x: run(keras.tree.map_structure(ops.convert_to_tensor, x))


def _jax(model, choose) -> Callable:
    import jax

    def run(state, x):
        outputs, _ = model.predict_step(state, (x,))
        return choose(outputs)

    if model.jit_compile and not model.run_eagerly:
        run = jax.jit(run)

    def call(x):
        sync_state(model)
        state = [v.value for v in model.trainable_variables]
        return run((state, [v.value for v in model.non_trainable_variables]), x)

    return call


def _torch(model, choose) -> Callable:
    import torch

    @torch.no_grad()
    def run(x):
        return choose(model.predict_step((x,)))

    return run


_COMPILERS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}

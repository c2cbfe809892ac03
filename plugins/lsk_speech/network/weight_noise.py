"""Gaussian noise on the weights of a layer, drawn anew for each training step."""

import contextlib
from collections.abc import Iterator

import keras

from lsk_engine.devices.replicas import SharedSeedGenerator


@contextlib.contextmanager
def noisy_weights(
    layer: keras.layers.Layer, stddev: float, seed: keras.random.SeedGenerator
) -> Iterator[None]:
    """Adds noise of N(0, stddev²) to all that is trained in a layer, within the context.

    The gradient is taken where the noise put the weights, and updates the weights without it.

    Args:
        layer: A built layer; within the context it reads its weights with the noise.
        stddev: Its standard deviation; 0: no noise, and nothing is drawn.
        seed: Where the noise is drawn from.

    References:
        Graves 2011, *Practical Variational Inference for Neural Networks*;
        Chorowski & Jaitly 2016 (arXiv 1612.02695), section 3.
    """
    if not stddev:
        yield
        return
    noisy = [
        (v, v + keras.random.normal(v.shape, 0.0, stddev, dtype=v.dtype, seed=seed))
        for v in layer.trainable_variables
    ]
    # A scope in which variables have other values, as JAX trains: any layer reads them there.
    with keras.StatelessScope(state_mapping=noisy):
        yield


@keras.saving.register_keras_serializable(package="ls_keras")
class NoisyLSTM(keras.layers.LSTM):
    """Keras's LSTM with noise on its weights in training.

    Args:
        units: As in `keras.layers.LSTM`, as all other arguments.
        weight_noise: Standard deviation of the noise, see `noisy_weights`. Default: 0.
    """

    def __init__(self, units: int, *, weight_noise: float = 0.0, **kwargs):
        super().__init__(units, **kwargs)
        self.weight_noise = weight_noise
        self.noise_generator = SharedSeedGenerator(kwargs.get("seed"))

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Runs the LSTM."""
        stddev = self.weight_noise if training else 0.0
        with noisy_weights(self, stddev, self.noise_generator):
            return super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "weight_noise": self.weight_noise}

"""Location-aware additive attention over encoder frames, and the guided-attention loss."""

import keras
from keras import ops

from lsk_engine import InputError
from lsk_speech.network.frontend import is_valid

KINDS = ("location", "content", "uniform")


@keras.saving.register_keras_serializable(package="ls_keras")
class LocationAttention(keras.layers.Layer):
    """Weights of the frames of an utterance, for one query, and their weighted sum.

    e_i = v · tanh(W q + V h_i + U f_i + b), w = softmax over the valid frames, c = Σ_i w_i h_i

    where h_i are encoded frames and f = F ∗ Σ w, a convolution over time of the sum of all earlier
    weights.

    Args:
        units: Size of W q.
        filters: Filters of the convolution F. Default: 10.
        kernel_size: Kernel size of the convolution in frames; odd. Default: 15.
        kind: `location`, as above; `content`: without U f; `uniform`: equal weights on all valid
            frames, as a baseline. Default: `location`.

    Call arguments:
        query: Tensor `(batch, features)`.
        memory: The result of `memory` for the encoded frames.
        cumulative: Tensor `(batch, frames)`: the sum of the weights so far.

    Returns:
        The sums c, `(batch, encoded features)`, and the weights, `(batch, frames)`.

    Raises:
        InputError: If the kind is unknown or the kernel even.

    References:
        Chorowski et al. 2015, *Attention-Based Models for Speech Recognition* (arXiv 1506.07503).
        There, f uses the last step's weights only; their sum also shows which frames were read.
    """

    def __init__(
        self,
        units: int,
        *,
        filters: int = 10,
        kernel_size: int = 15,
        kind: str = "location",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if kind not in KINDS:
            raise InputError(f"Expected attention of {', '.join(KINDS)}. Received: {kind!r}")
        if kernel_size % 2 != 1:
            raise InputError(f"Expected an odd kernel size. Received: {kernel_size}")
        self.units, self.filters, self.kernel_size, self.kind = units, filters, kernel_size, kind

    def build(self, query_shape, encoded_shape):
        """Creates the weights; the kind `uniform` has none."""
        if self.kind != "uniform":
            self._dense("query_kernel", query_shape[-1])
            self._dense("key_kernel", encoded_shape[-1])
            self.bias = self.add_weight((self.units,), "zeros", name="bias")
            self.score = self.add_weight((self.units, 1), "glorot_uniform", name="score")
        if self.kind == "location":
            shape = (self.kernel_size, 1, self.filters)
            self.convolution = self.add_weight(shape, "glorot_uniform", name="convolution")
            self._dense("location_kernel", self.filters)
        self.built = True

    def _dense(self, name: str, features: int) -> None:
        weight = self.add_weight((features, self.units), "glorot_uniform", name=name)
        setattr(self, name, weight)

    def memory(self, encoded, length) -> dict:
        """Returns the projected frames that each step reads.

        Args:
            encoded: Tensor `(batch, frames, features)`.
            length: int32 tensor `(batch,)`: valid frames.
        """
        memory = {"encoded": encoded, "valid": is_valid(encoded, length)[..., 0]}
        if self.kind != "uniform":
            memory["keys"] = ops.matmul(encoded, self.key_kernel) + self.bias
        return memory

    def call(self, query, memory, cumulative):
        """Attends once."""
        encoded, valid = memory["encoded"], memory["valid"]
        if self.kind == "uniform":
            weights = ops.cast(valid, "float32")
            weights = weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1.0)
        else:
            x = memory["keys"] + ops.matmul(query, self.query_kernel)[:, None]
            if self.kind == "location":
                x = x + self._location(cumulative)
            energies = ops.matmul(ops.tanh(x), self.score)[..., 0]
            weights = masked_softmax(ops.cast(energies, "float32"), valid)
        weights = ops.cast(weights, encoded.dtype)
        return ops.matmul(weights[:, None], encoded)[:, 0], weights

    def _location(self, cumulative):
        features = ops.conv(cumulative[..., None], self.convolution, padding="same")
        return ops.matmul(features, self.location_kernel)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("units", "filters", "kernel_size", "kind")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def masked_softmax(energies, valid):
    """Returns the softmax over the valid positions of each row, 0 elsewhere.

    Args:
        energies: Float tensor `(batch, frames)`.
        valid: Boolean tensor of the same shape. A row without any gets zeros.
    """
    energies = ops.where(valid, energies, -1e9)
    largest = ops.stop_gradient(ops.max(energies, axis=-1, keepdims=True))
    scaled = ops.where(valid, ops.exp(energies - largest), 0.0)
    return scaled / ops.maximum(ops.sum(scaled, axis=-1, keepdims=True), 1e-9)


def guided_penalty(weights, tokens, frames, sigma: float):
    """Computes the guided-attention loss: how far attention is from the diagonal.

    mean over n < N, t < T of w_nt (1 − exp(−(n/N − t/T)² / (2 g²))), times T

    so that a token whose whole weight is far from the diagonal costs up to 1.

    Args:
        weights: Tensor `(batch, tokens, frames)`.
        tokens: int32 tensor `(batch,)`: N of each utterance.
        frames: int32 tensor `(batch,)`: T of each utterance.
        sigma: g.

    References:
        Tachibana et al. 2017, *Efficiently Trainable Text-to-Speech System Based on Deep
        Convolutional Networks with Guided Attention* (arXiv 1710.08969), section 4.
    """
    weights = ops.cast(weights, "float32")
    n = ops.arange(ops.shape(weights)[1], dtype="int32")[None]
    t = ops.arange(ops.shape(weights)[2], dtype="float32")[None]
    many = ops.cast(ops.maximum(tokens, 1), "float32")[:, None]
    row = ops.cast(n, "float32") / many
    column = t / ops.cast(ops.maximum(frames, 1), "float32")[:, None]
    away = 1.0 - ops.exp(-ops.square(row[:, :, None] - column[:, None]) / (2 * sigma**2))
    counts = ops.cast(n < tokens[:, None], "float32")
    cost = ops.sum(weights * away, axis=-1) * counts
    return ops.sum(cost) / ops.maximum(ops.sum(counts), 1.0)

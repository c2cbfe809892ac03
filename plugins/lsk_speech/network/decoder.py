"""The decoder: an LSTM with attention, as one compiled loop or a token at a time."""

from typing import Any

import keras
from keras import ops

from lsk_engine.devices.replicas import SharedSeedGenerator
from lsk_speech.network.attention import LocationAttention, guided_penalty
from lsk_speech.network.weight_noise import noisy_weights
from lsk_speech.units import PAD_ID


@keras.saving.register_keras_serializable(package="ls_keras")
class AttentionDecoder(keras.layers.Layer):
    """Reads an utterance token by token: a table of tokens, an LSTM, and attention.

    h_n = LSTM([embedding of y_{n−1}, c_{n−1}], h_{n−1}), c_n = attention(h_n); out come [h_n, c_n]

    so the last context is an input (input feeding). Training runs all tokens of a batch in one
    `scan`; decoding runs one token at a time with `step`.

    Args:
        num_classes: Size of the vocabulary.
        units: Units of the LSTM.
        embedding_width: Features of a token. Default: 64.
        attention_width: `units` of `LocationAttention`. Default: 128.
        location_filters: `filters` of `LocationAttention`. Default: 10.
        location_kernel: `kernel_size` of `LocationAttention`. Default: 15.
        attention: `kind` of `LocationAttention`. Default: `location`.
        guided_attention: Weight of `guided_penalty` in the loss; 0: none. Default: 0.
        guided_attention_sigma: `sigma` of `guided_penalty`. Default: 0.2.
        weight_noise: Standard deviation of noise on all weights in training. Default: 0.
        seed: Seed of the noise.

    Call arguments:
        target: int32 tensor `(batch, tokens)`: the start token and the previous tokens.
        encoded: Tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames.
        training: Whether noise and penalty are added. Default: `False`.

    Returns:
        A tensor `(batch, tokens, units + features)`.
    """

    def __init__(
        self,
        num_classes: int,
        units: int,
        *,
        embedding_width: int = 64,
        attention_width: int = 128,
        location_filters: int = 10,
        location_kernel: int = 15,
        attention: str = "location",
        guided_attention: float = 0.0,
        guided_attention_sigma: float = 0.2,
        weight_noise: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._config = {
            "num_classes": num_classes,
            "units": units,
            "embedding_width": embedding_width,
            "attention_width": attention_width,
            "location_filters": location_filters,
            "location_kernel": location_kernel,
            "attention": attention,
            "guided_attention": guided_attention,
            "guided_attention_sigma": guided_attention_sigma,
            "weight_noise": weight_noise,
            "seed": seed,
        }
        self.units, self.guided_attention, self.guided_attention_sigma = (
            units, guided_attention, guided_attention_sigma,
        )  # fmt: skip
        self.weight_noise = weight_noise
        self.embedding = keras.layers.Embedding(
            num_classes, embedding_width, dtype=self.dtype_policy, name="embedding"
        )
        self.cell = keras.layers.LSTMCell(units, dtype=self.dtype_policy, name="cell")
        self.attention = LocationAttention(
            attention_width,
            filters=location_filters,
            kernel_size=location_kernel,
            kind=attention,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.noise_generator = SharedSeedGenerator(seed)

    def build(self, target_shape, encoded_shape, length_shape):
        """Builds embedding, LSTM cell and attention."""
        self.embedding.build(target_shape)
        self.cell.build((None, self.embedding.output_dim + encoded_shape[-1]))
        self.attention.build((None, self.units), encoded_shape)
        self.built = True

    def call(self, target, encoded, length, training=False):
        """Runs the decoder over given tokens."""
        stddev = self.weight_noise if training else 0.0
        with noisy_weights(self, stddev, self.noise_generator):
            states = self.run(target, encoded, length)
        if training and self.guided_attention:
            tokens = ops.sum(ops.cast(ops.not_equal(target, PAD_ID), "int32"), axis=1)
            penalty = guided_penalty(
                attention_of(states), tokens, length, self.guided_attention_sigma
            )
            self.add_loss(self.guided_attention * penalty)
        return ops.concatenate([states["hidden"], states["context"]], axis=-1)

    def run(self, target, encoded, length) -> dict[str, Any]:
        """Returns the state after each token, `(batch, tokens, ...)`; see `initial_state`."""
        memory = self.attention.memory(encoded, length)
        embedded = ops.transpose(self.embedding(target), (1, 0, 2))  # tokens × batch × features

        def advance(state, x):
            state = self._advance(x, memory, state)
            return (
                state,
                state,
            )  # TensorFlow's scan returns only states

        _, states = ops.scan(advance, self.initial_state(encoded), embedded)
        return {name: ops.swapaxes(x, 0, 1) for name, x in states.items()}

    def initial_state(self, encoded) -> dict[str, Any]:
        """Returns the state before the first token.

        Zeros for `hidden` and `cell` of the LSTM, the last `context`, and `attended`, the sum of
        the attention weights of each frame.
        """
        zeros = ops.zeros_like(encoded[:, 0, :1])
        wide = ops.repeat(zeros, self.units, axis=1)
        return {
            "hidden": wide,
            "cell": wide,
            "context": ops.zeros_like(encoded[:, 0]),
            "attended": ops.zeros_like(encoded[:, :, 0]),
        }

    def step(self, tokens, memory, state):
        """Runs the decoder on one token of each row.

        Args:
            tokens: int32 tensor `(rows,)`.
            memory: What `attention.memory` made of the encoded frames.
            state: What the step before returned, or `initial_state`.

        Returns:
            A tensor `(rows, units + features)` and the new state.
        """
        state = self._advance(self.embedding(tokens), memory, state)
        return ops.concatenate([state["hidden"], state["context"]], axis=-1), state

    def _advance(self, x, memory, state):
        x = ops.concatenate([x, state["context"]], axis=-1)
        hidden, (_, cell) = self.cell(x, (state["hidden"], state["cell"]))
        context, weights = self.attention(hidden, memory, state["attended"])
        return {
            "hidden": hidden,
            "cell": cell,
            "context": context,
            "attended": state["attended"] + weights,
        }

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), **self._config}


def attention_of(states):
    """Returns the attention weights, `(batch, tokens, frames)`, from the states of `run`."""
    attended = states["attended"]
    before = ops.concatenate([ops.zeros_like(attended[:, :1]), attended[:, :-1]], axis=1)
    return attended - before

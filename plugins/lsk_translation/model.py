"""The Transformer, and beam search with its decoder."""

import math
from typing import Any

import keras
import keras_hub
import numpy as np
from keras import ops

from ls_keras.decoding import ModelSearch
from ls_keras.decoding.model_search import DecodedHypothesis
from ls_keras.layers import TiedLogits
from lsk_translation.config import DecodingConfig, ModelConfig
from lsk_translation.subwords import END_ID, PAD_ID, START_ID


def build_transformer(config: ModelConfig, num_classes: int) -> keras.Model:
    """Builds the model `{source, target} → logits`.

    Args:
        config: The dimensions.
        num_classes: Size of the joint vocabulary.

    Returns:
        A functional model. `source` is int32 `(batch, S)`; `target`, int32 `(batch, T)`, begins
        with the start token; the logits, float32 `(batch, T, num_classes)`, predict the next
        tokens. Decoding relies on the layer names `embedding`, `encoded`, `decoder_0`, …,
        `decoded` and `logits`.
    """
    # Rows of unit length initially: they are the templates of the output, too.
    embedding = keras.layers.Embedding(
        num_classes,
        config.width,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=config.width**-0.5),
        name="embedding",
    )
    # In float32: bfloat16 cannot distinguish positions above 256.
    positions = keras_hub.layers.SinePositionEncoding(name="positions", dtype="float32")
    block = {
        "intermediate_dim": config.feedforward,
        "num_heads": config.heads,
        "dropout": config.dropout,
        "normalize_first": config.normalize_first,
    }

    def embed(tokens, name):
        x = embedding(tokens) * math.sqrt(config.width)
        x = keras.layers.Add(name=f"{name}_embedded")([x, positions(x)])
        return keras.layers.Dropout(config.dropout, name=f"{name}_dropout")(x)

    def finish(x, name):
        # Pre-norm leaves the last sum unnormalized; post-norm has normalized it.
        if config.normalize_first:
            return keras.layers.LayerNormalization(name=name)(x)
        return keras.layers.Identity(name=name)(x)

    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    source_mask = ops.not_equal(source, PAD_ID)
    x = embed(source, "source")
    for i in range(config.layers):
        x = keras_hub.layers.TransformerEncoder(**block, name=f"encoder_{i}")(
            x, padding_mask=source_mask
        )
    encoded = finish(x, "encoded")
    x = embed(target, "target")
    for i in range(config.layers):
        # Padding comes after all real tokens, where the causal mask hides it.
        x = keras_hub.layers.TransformerDecoder(**block, name=f"decoder_{i}")(
            x, encoded, encoder_padding_mask=source_mask
        )
    x = finish(x, "decoded")
    logits = TiedLogits(embedding, name="logits")(x)
    return keras.Model({"source": source, "target": target}, logits, name="transformer")


class Translator(ModelSearch):
    """Translates batches of sentences.

    Args:
        model: A model that `build_transformer` built.
        config: Settings of the search; its temperature is not used.
        num_return: Translations per sentence, 1 to `config.beam_size`.
        jit_compile: Whether TensorFlow compiles with XLA.
        unsmooth: The label smoothing to remove in the search.
    """

    shortest = 8  # pieces
    most_positions = 1 << 14  # attention needs rows × pieces² numbers per head
    pad_token, start_token, end_token = PAD_ID, START_ID, END_ID

    def __init__(self, model: keras.Model, config: DecodingConfig, **kwargs):
        super().__init__(model, config, **kwargs)
        self.embedding = model.get_layer("embedding")
        self.positions = model.get_layer("positions")
        self.decoded = model.get_layer("decoded")
        names = [layer.name for layer in model.layers]
        self.decoders = [model.get_layer(n) for n in names if n.startswith("decoder_")]
        source = next(x for x in model.inputs if x.name == "source")
        self.encoder = keras.Model(source, model.get_layer("encoded").output)

    def translate(
        self, source: np.ndarray, temperature: float = 1.0
    ) -> list[list[DecodedHypothesis]]:
        """Returns the token ids, without the end token, and the score of each translation.

        Args:
            source: int32 `(batch, S)`, as from `with_ends`.
            temperature: T.

        Returns:
            For each sentence, at most `num_return` translations, best first.

        Raises:
            LsKerasError: If the model emits NaN.
        """
        return self.search(source, temperature=temperature)

    def max_length(self, source_length: int) -> int:
        """Returns the largest number of tokens in a translation of `source_length` pieces."""
        return math.ceil(self.config.length_ratio * source_length) + self.config.length_margin

    def begin(self, source) -> tuple[Any, int]:
        """Encodes the source; the state has everything that a step needs."""
        batch, length = source.shape
        max_length = self.max_length(length)
        mask = ops.not_equal(source, PAD_ID)
        encoded = self.encoder(source, training=False)
        state = {
            "encoded": encoded,
            "mask": mask,
            "cross": self._cross_caches(encoded, mask),
            "own": [self._empty_cache(batch, max_length, encoded.dtype) for _ in self.decoders],
        }
        return state, max_length

    def step(self, tokens, state, index):
        """Runs the decoder for one position."""
        x = self._embed(tokens, index)
        own = []
        for layer, cache, cross in zip(self.decoders, state["own"], state["cross"], strict=True):
            x, cache, _ = layer(
                x,
                state["encoded"],
                encoder_padding_mask=state["mask"],
                self_attention_cache=cache,
                self_attention_cache_update_index=index,
                cross_attention_cache=cross,
                cross_attention_cache_update_index=None,
                training=False,
            )
            own.append(cache)
        return self.decoded(x)[:, 0], {**state, "own": own}

    def _embed(self, tokens, index):
        x = self.embedding(ops.expand_dims(tokens, -1)) * math.sqrt(self.embedding.output_dim)
        return x + ops.cast(self.positions(x, start_index=index), x.dtype)

    def _cross_caches(self, encoded, mask):
        """Computes the keys and values of the source once: a decoder step on the start token."""
        batch, length, _ = encoded.shape
        x = self._embed(ops.full((batch,), START_ID, dtype="int32"), 0)
        caches = []
        for layer in self.decoders:
            x, _, cache = layer(
                x,
                encoded,
                encoder_padding_mask=mask,
                # Two positions, since Keras warns about a softmax over one.
                self_attention_cache=self._empty_cache(batch, 2, encoded.dtype),
                self_attention_cache_update_index=0,
                cross_attention_cache=self._empty_cache(batch, length, encoded.dtype),
                cross_attention_cache_update_index=0,
                training=False,
            )
            caches.append(cache)
        return caches

    def _empty_cache(self, batch: int, length: int, dtype):
        heads = self.decoders[0].num_heads
        return ops.zeros((batch, 2, length, heads, self.embedding.output_dim // heads), dtype)

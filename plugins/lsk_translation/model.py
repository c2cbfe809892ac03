"""The Transformer, of keras-hub layers, with one embedding for source, target and output."""

import math

import keras
import keras_hub
from keras import ops

from ls_keras.layers import TiedLogits
from lsk_translation.config import ModelConfig
from lsk_translation.subwords import PAD_ID


def build_transformer(config: ModelConfig, num_classes: int) -> keras.Model:
    """Builds the model `{source, target} → logits`.

    Args:
        config: The dimensions.
        num_classes: Size of the joint vocabulary.

    Returns:
        A functional model. `source` is int32 `(batch, S)`; `target`, int32 `(batch, T)`, starts
        with the start token; the logits, float32 `(batch, T, num_classes)`, are of the tokens one
        position on. Layer names (`embedding`, `encoded`, `decoder_0`, …, `decoded`, `logits`) are
        what decoding holds on to.
    """
    # Rows of unit length at the start: they are the templates of the output as well.
    embedding = keras.layers.Embedding(
        num_classes,
        config.width,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=config.width**-0.5),
        name="embedding",
    )
    # In float32: bfloat16 can't tell positions above 256 apart.
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
        # Pre-norm leaves the last sum unnormalized; post-norm has done it already.
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
        # Padding comes after every real token, where the causal mask hides it already.
        x = keras_hub.layers.TransformerDecoder(**block, name=f"decoder_{i}")(
            x, encoded, encoder_padding_mask=source_mask
        )
    x = finish(x, "decoded")
    logits = TiedLogits(embedding, name="logits")(x)
    return keras.Model({"source": source, "target": target}, logits, name="transformer")

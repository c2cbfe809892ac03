"""The floating-point weights that a layer computes with, also if it is quantized or has LoRA."""

from typing import Any, NamedTuple

import keras
from keras import ops

from ls_keras.errors import InputError, shown


class LinearWeights(NamedTuple):
    """The weights of a linear layer: `z = x W + b`, limited by a soft cap.

    Attributes:
        kernel: W `(features, classes)`; `(classes, features)` if `transposed`.
        bias: b `(classes,)`, or `None`.
        transposed: Whether the kernel is stored as an embedding table, `(classes, features)`.
        soft_cap: c of `c tanh(z / c)`, which limits the logits; `None` for no limit.
    """

    kernel: Any
    bias: Any = None
    transposed: bool = False
    soft_cap: float | None = None

    def columns(self):
        """Returns the kernel as a tensor `(features, classes)`."""
        return ops.transpose(self.kernel) if self.transposed else self.kernel


def effective_weights(layer: keras.Layer) -> LinearWeights:
    """Returns the weights of a built linear layer, with quantized codes converted to floats.

    Integer codes (`int8`, `int4`, with or without groups) are multiplied by their scales, and the
    LoRA update is added. The result is a variable where the layer stores what it computes with,
    so gradients reach it.

    Args:
        layer: `Dense`, `EinsumDense`, a convolution, `ReversibleEmbedding` (its reverse
            projection), `Embedding` (its transposed table) or `TiedLogits`.

    Raises:
        InputError: If the layer is quantized in another mode, such as GPTQ.
    """
    bias = getattr(layer, "bias", None)
    embedding = layer if isinstance(layer, keras.layers.Embedding) else _shared_embedding(layer)
    if embedding is None:
        return LinearWeights(_weight_matrix(layer, "kernel"), bias)
    soft_cap = getattr(embedding, "logit_soft_cap", None)
    if getattr(embedding, "tie_weights", True):
        return LinearWeights(embedding_table(embedding), bias, True, soft_cap)
    return LinearWeights(_weight_matrix(embedding, "reverse_embeddings"), bias, False, soft_cap)


def embedding_table(embedding: keras.layers.Embedding):
    """Returns the table `(vocabulary, features)` of a built embedding, as it looks tokens up."""
    if _is_quantized(embedding):
        return embedding(ops.arange(embedding.input_dim, dtype="int32"))
    return embedding.embeddings


def is_reversible(layer) -> bool:
    """Returns whether a layer is a `ReversibleEmbedding`, of Keras or of Keras Hub."""
    return isinstance(layer, keras.layers.Embedding) and hasattr(layer, "logit_soft_cap")


def apply_soft_cap(logits, soft_cap: float | None):
    """Returns `c tanh(z / c)`, or the logits themselves without a cap."""
    return logits if soft_cap is None else ops.tanh(logits / soft_cap) * soft_cap


def _shared_embedding(layer) -> keras.layers.Embedding | None:
    """Returns the embedding whose table a `TiedLogits` layer multiplies by."""
    embedding = getattr(layer, "embedding", None)
    return embedding if isinstance(embedding, keras.layers.Embedding) else None


def _is_quantized(layer) -> bool:
    """Returns whether a layer stores integer codes."""
    mode = layer.quantization_mode
    if mode in ("gptq", "awq"):
        raise InputError(
            "Expected a layer in floating point, float8, int8 or int4: the weights of other "
            f"quantization modes cannot be read. Received: {shown(layer)} in mode {mode!r}"
        )
    return mode in ("int8", "int4")


def _weight_matrix(layer, name: str):
    """Returns a layer's matrix `(features, classes)` of this name, dequantized."""
    if not _is_quantized(layer):
        return getattr(layer, name)
    # The property `kernel` adds LoRA's update to the codes, before they are scaled.
    matrix = next(variable for variable in layer.variables if variable.name == name)
    scale = getattr(layer, f"{name}_scale")
    if layer.quantization_mode == "int4":
        reverse = name == "reverse_embeddings"  # packed along the features, all others along K
        size, axis = (layer.output_dim, 0) if reverse else (scale.shape[-1], -1)
        matrix = keras.quantizers.unpack_int4(matrix, size, axis=axis)
    matrix = ops.cast(matrix, "float32")
    zero = getattr(layer, f"{name}_zero", None)
    if zero is None:
        matrix = matrix / ops.reshape(ops.cast(scale, "float32"), (-1,))
    else:
        groups = ops.cast(layer.g_idx, "int32")
        zero, scale = (ops.cast(ops.take(x, groups, axis=0), "float32") for x in (zero, scale))
        matrix = (matrix - zero) * scale
    if name == "kernel" and layer.lora_enabled:
        update = ops.matmul(layer.lora_kernel_a, layer.lora_kernel_b)
        matrix = matrix + layer.lora_alpha / layer.lora_rank * update
    return matrix

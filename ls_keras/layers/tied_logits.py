"""Output layer that shares the table of an embedding (weight tying)."""

import keras
from keras import ops

from ls_keras.backend import keras_internals
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.warnings import warn_caller
from ls_keras.errors import InputError, shown
from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_flag
from ls_keras.layers.effective_weights import apply_soft_cap, effective_weights


@LAYERS.register("tied_logits")
class TiedLogits(keras.layers.Layer):
    """Computes logits with the transposed embedding table: `z = x Eᵀ + b`, in float32.

    The rows of the table are the class templates; `kernel` and `bias` are those of the equivalent
    `Dense` layer. Use it as the last layer of a model, with the name `logits`.

    With a `ReversibleEmbedding`, the logits are those of its reverse projection: `logit_soft_cap`,
    `tie_weights=False` and `reverse_dtype` are respected. With a quantized embedding, the table is
    dequantized first.

    Args:
        embedding: The `keras.layers.Embedding` (`vocabulary × features`) whose table is shared. It
            is saved once, and shared again after loading, cloning and `from_config`.
        use_bias: Whether to add a bias `(vocabulary,)`, before the soft cap. Default: `False`.

    Call arguments:
        inputs: Tensor `(..., features)`.

    Returns:
        float32 tensor `(..., vocabulary)` with the mask of the inputs.

    Warns:
        UserWarning: If a restored layer is called on inputs that do not come from its embedding.

    Example:
    >>> import keras
    >>> embedding = keras.layers.Embedding(10, 4)
    >>> tokens = keras.Input((None,), dtype="int32")
    >>> logits = TiedLogits(embedding, name="logits")(embedding(tokens))
    >>> keras.Model(tokens, logits).output_shape
    (None, None, 10)

    References:
        Press and Wolf (2017), *Using the Output Embedding to Improve Language Models*.
    """

    gives_logits = True

    def __init__(self, embedding: keras.layers.Embedding, *, use_bias: bool = False, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(embedding, keras.layers.Embedding):
            raise InputError(f"Expected a keras.layers.Embedding. Received: {shown(embedding)}")
        self.supports_masking = True
        self.embedding = embedding
        self.use_bias = as_flag(use_bias, "use_bias")
        self.bias = None
        self._restored = False

    def build(self, input_shape):
        """Builds the shared embedding and the bias."""
        if input_shape[-1] != self.embedding.output_dim:
            raise InputError(
                f"Expected inputs with {self.embedding.output_dim} features, as in the embedding. "
                f"Received: inputs of shape {tuple(input_shape)}"
            )
        if not self.embedding.built:
            self.embedding.build()
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.embedding.input_dim,), initializer="zeros", name="bias"
            )

    @no_autograph
    def __call__(self, inputs, *args, **kwargs):
        """Calls the layer; a restored layer is first connected to its embedding."""
        self.reconnect(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def kernel(self):
        """Tensor `(features, vocabulary)` whose columns are the class templates."""
        return effective_weights(self).columns()

    def call(self, inputs):
        """Computes the product in the compute dtype and returns it in float32."""
        weights = effective_weights(self)
        dtype = getattr(self.embedding, "reverse_dtype", None) or inputs.dtype
        kernel = ops.cast(weights.columns(), dtype)
        logits = ops.cast(ops.matmul(ops.cast(inputs, dtype), kernel), "float32")
        if weights.bias is not None:
            logits = logits + ops.cast(weights.bias, "float32")
        return apply_soft_cap(logits, weights.soft_cap)

    def compute_output_spec(self, inputs):
        """Returns the spec of the output: float32, independent of the compute dtype."""
        shape = (*inputs.shape[:-1], self.embedding.input_dim)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        """Returns the configuration, including the shared embedding."""
        return {
            **super().get_config(),
            "embedding": keras.saving.serialize_keras_object(self.embedding),
            "use_bias": self.use_bias,
        }

    @classmethod
    def from_config(cls, config):
        """Restores the layer; `reconnect` shares the embedding again when the layer is called.

        Loading a file restores shared objects, but cloning and `Model.from_config` restore each
        layer separately.
        """
        config = dict(config)
        shared = config.pop("embedding")
        layer = cls(keras.saving.deserialize_keras_object(shared), **config)
        layer._restored = True
        return layer

    def reconnect(self, inputs) -> None:
        """Connects a restored layer to the model's embedding at its first symbolic call.

        The embedding is the layer of the same name and configuration that the inputs depend on.

        Args:
            inputs: Inputs of this layer, or of the layer that wraps it.
        """
        restored, self._restored = self._restored, False
        if not restored or not isinstance(inputs, keras.KerasTensor):
            return
        own = self.embedding
        for layer in keras_internals.layers_before(inputs):
            if layer is own:
                return
            same = isinstance(layer, keras.layers.Embedding) and layer.name == own.name
            if same and layer.get_config() == own.get_config():
                keras_internals.replace_part(self, "embedding", layer)
                return
        warn_caller(
            f"TiedLogits {self.name!r} was restored without the embedding {own.name!r} that it "
            "shared: its inputs do not depend on it, so the layer has a separate copy"
        )

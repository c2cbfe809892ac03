"""The output layer of a model whose classes are the tokens of an embedding."""

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend import keras_internals
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.warnings import warn_caller
from ls_keras.errors import shown
from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_flag


@LAYERS.register("tied_logits")
class TiedLogits(keras.layers.Layer):
    """Logits by the transposed embedding: `z = x Eᵀ + b`, in float32.

    The embedding's rows are the class templates, so `kernel` and `bias` can be read as those of
    a `Dense` layer. Use it as a model's last layer, under the name `logits`.

    Args:
        embedding: The `keras.layers.Embedding` (`vocabulary × features`) to share; it is saved
            with the model once, and shared again after loading, cloning, and `from_config`.
        use_bias: Whether a bias `(vocabulary,)` is added. Default: no.

    Call arguments:
        inputs: Tensor `(..., features)`.

    Returns:
        float32 tensor `(..., vocabulary)`, with the inputs' mask.

    Warns:
        UserWarning: If a restored layer is called on what no embedding of that name led to.

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
        """Builds the shared embedding, if it isn't yet, and the bias."""
        if input_shape[-1] != self.embedding.output_dim:
            raise InputError(
                f"Expected inputs of {self.embedding.output_dim} features, as the embedding has. "
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
        """Computes the logits; a restored layer first finds the embedding that it shares."""
        self.share_again(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def kernel(self):
        """Tensor `(features, vocabulary)`: the class templates as columns."""
        return ops.transpose(self.embedding.embeddings)

    def call(self, inputs):
        """Computes the logits; the product in the compute dtype, the result in float32."""
        kernel = ops.cast(self.embedding.embeddings, inputs.dtype)
        logits = ops.cast(ops.matmul(inputs, ops.transpose(kernel)), "float32")
        return logits if self.bias is None else logits + ops.cast(self.bias, "float32")

    def compute_output_spec(self, inputs):
        """Declares the float32 output whatever the compute dtype is."""
        shape = (*inputs.shape[:-1], self.embedding.input_dim)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        """Returns the configuration, the shared embedding included."""
        return {
            **super().get_config(),
            "embedding": keras.saving.serialize_keras_object(self.embedding),
            "use_bias": self.use_bias,
        }

    @classmethod
    def from_config(cls, config):
        """Restores the layer; the embedding is shared again with the model that it is called in.

        Where Keras keeps track of objects, when it loads a file, that is so from the start. When
        it clones a model or restores one from its configuration, every layer comes on its own.
        """
        config = dict(config)
        shared = config.pop("embedding")
        layer = cls(keras.saving.deserialize_keras_object(shared), **config)
        layer._restored = True
        return layer

    def share_again(self, inputs) -> None:
        """Finds the embedding that a restored layer shares, the first time that it is called.

        It is the one of the same name and configuration that led to the inputs.

        Args:
            inputs: What the layer, or one that holds it, is called on.
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
            "shared: none leads to its inputs, so it has one of its own"
        )

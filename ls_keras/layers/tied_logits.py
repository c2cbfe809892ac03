"""The output layer of a model whose classes are the tokens of an embedding."""

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.arguments import as_flag, shown


@keras.saving.register_keras_serializable(package="ls_keras")
class TiedLogits(keras.layers.Layer):
    """Logits by the transposed embedding: `z = x Eᵀ + b`, in float32.

    The embedding's rows are the class templates, so `kernel` and `bias` can be read as those of
    a `Dense` layer. Use it as a model's last layer, under the name `logits`.

    Args:
        embedding: The `keras.layers.Embedding` (`vocabulary × features`) to share; it is saved
            with the model once, and shared again after loading.
        use_bias: Whether a bias `(vocabulary,)` is added. Default: no.

    Call arguments:
        inputs: Tensor `(..., features)`.

    Returns:
        float32 tensor `(..., vocabulary)`.

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
        self.embedding = embedding
        self.use_bias = as_flag(use_bias, "use_bias")
        self.bias = None

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
        """Restores the layer; an embedding that the model has already is shared again."""
        embedding = keras.saving.deserialize_keras_object(config.pop("embedding"))
        return cls(embedding, **config)

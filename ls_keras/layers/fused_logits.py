"""Output layer that adds the smoothed cross-entropy without storing the logits."""

import keras
from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import mask_of
from ls_keras.errors import InputError, shown
from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.targets import IgnoreClass, plain_ignore_class, stored_ignore_class
from ls_keras.inputs.validation import as_number
from ls_keras.layers.effective_weights import effective_weights, is_reversible
from ls_keras.layers.tied_logits import TiedLogits
from ls_keras.losses.fused_linear.cross_entropy import (
    check_chunk_size,
    check_reduction,
    fused_loss,
    num_replicas,
)
from ls_keras.losses.fused_linear.problem import Linear
from ls_keras.losses.smoothings import get_smoothing


@LAYERS.register("fused_logits")
class FusedLogits(keras.layers.Layer):
    """Output layer with a built-in `SmoothedCE(alpha, from_logits=True)` for many classes.

    Called with labels, it adds `linear_smoothed_ce` to the model's losses and returns its inputs;
    no tensor of tokens × classes is created. Called without labels, it returns the logits. It
    shares its weights with the head that it wraps, so you build one model for training, with the
    labels as an input, and another for prediction:

        hidden = body(tokens)
        training = keras.Model([tokens, labels], FusedLogits(head, 0.1)(hidden, labels))
        model = keras.Model(tokens, head(hidden))

    Compile `training` without a loss and pass labels and sample weights as inputs: Keras passes `y`
    and `sample_weight` of `fit` only to compiled losses, which would need the logits.

    The loss of a quantized head is that of its dequantized weights.

    Args:
        head: A `keras.layers.Dense` without activation, `TiedLogits`, or a `ReversibleEmbedding`
            (of Keras or Keras Hub), which is wrapped in `TiedLogits`.
        alpha: Smoothing α, in [0, 1]. Default: 0.1.
        smoothing: See `smoothed_cross_entropy`. Default: `"uniform"`.
        ignore_class: A label id, or several, whose positions do not count. Default: `None`.
        reduction: A reduction of Keras's losses to a scalar. Default: `"sum_over_batch_size"`.
        chunk_size: Number of tokens whose logits are computed at once; see `linear_smoothed_ce`.
            Default: `None`, chosen by memory.

    Call arguments:
        inputs: Tensor `(..., features)`. Positions that its Keras mask excludes do not count.
        y_true: Integer labels `(...)`, or `None` for logits.
        sample_weight: Weights of the shape of the labels or of its leading axes, or `None`.

    Returns:
        Float32 logits `(..., K)` without labels; the inputs with labels.

    Raises:
        InputError: If the head is an unsupported layer, or an option is out of range.

    Example:
    ```python
    >>> import keras, numpy as np
    >>> import ls_keras
    >>> tokens, labels = (keras.Input((None,), dtype="int32") for _ in range(2))
    >>> hidden = keras.layers.Embedding(50, 8)(tokens)
    >>> head = keras.layers.Dense(50, name="logits")
    >>> fused = ls_keras.FusedLogits(head, alpha=0.1, ignore_class=0)
    >>> training = keras.Model([tokens, labels], fused(hidden, labels))
    >>> training.compile("adam")
    >>> x, y = np.ones((4, 6), "int32"), np.ones((4, 6), "int32")
    >>> sorted(training.fit([x, y], verbose=0).history)
    ['loss']
    >>> keras.Model(tokens, head(hidden)).predict(x, verbose=0).shape
    (4, 6, 50)

    ```

    References:
        [Wijmans et al., 2024](https://arxiv.org/abs/2411.09009).
    """

    gives_logits = True

    def __init__(
        self,
        head: keras.layers.Layer,
        alpha: float = 0.1,
        smoothing="uniform",
        *,
        ignore_class: IgnoreClass = None,
        reduction: str = "sum_over_batch_size",
        chunk_size: int | None = None,
        **kwargs,
    ):
        # Autocast would round the sample weights to 16 bits.
        super().__init__(autocast=False, **kwargs)
        if is_reversible(head):
            head = TiedLogits(head)
        linear = isinstance(head, keras.layers.Dense) and (
            head.activation is keras.activations.linear
        )
        if not linear and not isinstance(head, TiedLogits):
            raise InputError(
                "Expected head to be a keras.layers.Dense without activation, TiedLogits or a "
                f"ReversibleEmbedding. Received: {shown(head)}"
            )
        self.supports_masking = True
        self.head = head
        self.alpha = as_number(alpha, "alpha", low=0, high=1)
        self.smoothing = get_smoothing(smoothing)
        self.ignore_class = plain_ignore_class(ignore_class)
        self.reduction = check_reduction(reduction)
        self.chunk_size = check_chunk_size(chunk_size)

    def build(self, input_shape):
        """Builds the head."""
        if not self.head.built:
            self.head.build(input_shape)

    @no_autograph
    def __call__(self, inputs, *args, **kwargs):
        """Calls the layer; a restored tied head is first connected to its embedding."""
        if isinstance(self.head, TiedLogits):
            self.head.reconnect(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def kernel(self):
        """Tensor `(features, K)` whose columns are the class templates."""
        return effective_weights(self.head).columns()

    @property
    def bias(self):
        """Variable `(K,)`, or `None`."""
        return self.head.bias

    def call(self, inputs, y_true=None, sample_weight=None, training=False):
        """Adds the loss if there are labels; computes the logits otherwise."""
        if y_true is None:
            return ops.cast(self.head(inputs), "float32")
        weights = effective_weights(self.head)
        embedding = getattr(self.head, "embedding", None)
        dtype = getattr(embedding, "reverse_dtype", None) or self.head.compute_dtype
        loss = fused_loss(
            y_true,
            Linear(ops.cast(inputs, dtype), ops.cast(weights.kernel, dtype), weights.bias),
            alpha=self.alpha,
            smoothing=self.smoothing,
            sample_weight=sample_weight,
            mask=mask_of(inputs),
            ignore_class=self.ignore_class,
            reduction=self.reduction,
            transposed=weights.transposed,
            soft_cap=weights.soft_cap,
            chunk_size=self.chunk_size,
            ahead=bool(training),
        )
        # Keras divides added losses by the number of replicas, as if they were means.
        self.add_loss(loss * num_replicas() if self.reduction == "sum" else loss)
        return inputs

    def compute_output_spec(self, inputs, y_true=None, sample_weight=None, training=False):
        """Returns the spec of the logits, or of the inputs if there are labels."""
        if y_true is not None:
            return keras.KerasTensor(inputs.shape, inputs.dtype)
        shape = self.head.compute_output_spec(inputs).shape
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> dict:
        """Returns the configuration, including the head."""
        return {
            **super().get_config(),
            "head": keras.saving.serialize_keras_object(self.head),
            "alpha": self.alpha,
            "smoothing": keras.saving.serialize_keras_object(self.smoothing),
            "ignore_class": stored_ignore_class(self.ignore_class),
            "reduction": self.reduction,
            "chunk_size": self.chunk_size,
        }

    @classmethod
    def from_config(cls, config: dict):
        """Restores the layer; a tied head finds its embedding again when it is called."""
        config = dict(config)
        head = keras.saving.deserialize_keras_object(config.pop("head"))
        return cls(head, **config)

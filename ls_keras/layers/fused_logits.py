"""The end of a model of many classes, which is trained without its logits."""

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import mask_of
from ls_keras.errors import shown
from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.targets import IgnoreClass, plain_ignore_class, stored_ignore_class
from ls_keras.inputs.validation import as_number
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
    """A last layer and its loss, `SmoothedCE(alpha, from_logits=True)`, without the logits between.

    Called with labels, in training and in evaluation, it adds `linear_smoothed_ce` to the model's
    losses and hands its inputs on: no tensor of tokens × classes is there. Called without labels,
    it gives the logits. Its weights are those of the layer that it holds, so that one model
    is trained, of inputs and labels, while another with the same weights predicts:

        hidden = body(tokens)
        training = keras.Model([tokens, labels], FusedLogits(head, 0.1)(hidden, labels))
        model = keras.Model(tokens, head(hidden))

    `training` is compiled without a loss and has its labels, and weights, among the inputs. Keras
    gives `y` and `sample_weight` of `fit` to losses of `compile` only, which would need the logits.

    Args:
        head: A `keras.layers.Dense` without activation, or `TiedLogits`.
        alpha: See `linear_smoothed_ce`, as the others. Default: 0.1.
        smoothing: Default: `"uniform"`.
        ignore_class: Default: `None`.
        reduction: Default: `"sum_over_batch_size"`.
        chunk_size: Default: `None`.

    Call arguments:
        inputs: Tensor `(..., features)`. Positions that its Keras mask leaves out don't count.
        y_true: Integer labels `(...)`, or `None`.
        sample_weight: Weights of the labels' shape, or of its leading axes, or `None`.

    Returns:
        Without labels, float32 logits `(..., K)`; with them, the inputs.

    Raises:
        InputError: If the head is another layer, or an option is out of range.

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
        # No autocast, which would round weights of tokens to 16 bits.
        super().__init__(autocast=False, **kwargs)
        linear = isinstance(head, keras.layers.Dense) and (
            head.activation is keras.activations.linear
        )
        if not linear and not isinstance(head, TiedLogits):
            raise InputError(
                "Expected head to be a keras.layers.Dense without activation, or TiedLogits. "
                f"Received: {shown(head)}"
            )
        self.supports_masking = True
        self.head = head
        self.alpha = as_number(alpha, "alpha", low=0, high=1)
        self.smoothing = get_smoothing(smoothing)
        self.ignore_class = plain_ignore_class(ignore_class)
        self.reduction = check_reduction(reduction)
        self.chunk_size = check_chunk_size(chunk_size)

    def build(self, input_shape):
        """Builds the head, if it isn't yet."""
        if not self.head.built:
            self.head.build(input_shape)

    @no_autograph
    def __call__(self, inputs, *args, **kwargs):
        """Adds the loss, or computes the logits; a restored head first finds its embedding."""
        if isinstance(self.head, TiedLogits):
            self.head.share_again(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def kernel(self):
        """Tensor `(features, K)`: the class templates as columns."""
        return self.head.kernel

    @property
    def bias(self):
        """Variable `(K,)`, or `None`."""
        return self.head.bias

    def call(self, inputs, y_true=None, sample_weight=None, training=False):
        """Adds the loss of the labels, or computes the logits."""
        if y_true is None:
            return ops.cast(self.head(inputs), "float32")
        tied = isinstance(self.head, TiedLogits)
        kernel = self.head.embedding.embeddings if tied else self.head.kernel
        dtype = self.head.compute_dtype
        loss = fused_loss(
            y_true,
            Linear(ops.cast(inputs, dtype), ops.cast(kernel, dtype), self.head.bias),
            alpha=self.alpha,
            smoothing=self.smoothing,
            sample_weight=sample_weight,
            mask=mask_of(inputs),
            ignore_class=self.ignore_class,
            reduction=self.reduction,
            transposed=tied,
            chunk_size=self.chunk_size,
            ahead=bool(training),
        )
        # Keras takes what is added for a mean, and divides it by the number of replicas.
        self.add_loss(loss * num_replicas() if self.reduction == "sum" else loss)
        return inputs

    def compute_output_spec(self, inputs, y_true=None, sample_weight=None, training=False):
        """Declares the logits, or the inputs."""
        if y_true is not None:
            return keras.KerasTensor(inputs.shape, inputs.dtype)
        shape = self.head.compute_output_spec(inputs).shape
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> dict:
        """Returns the configuration, the head included."""
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
        """Restores the layer; a tied embedding is shared again where it is called."""
        config = dict(config)
        head = keras.saving.deserialize_keras_object(config.pop("head"))
        return cls(head, **config)

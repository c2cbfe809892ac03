"""The inputs of the fused linear cross-entropy, on every backend."""

from typing import Any, NamedTuple

import keras
import numpy as np

# Logits in memory at once: 32 MiB. With fewer tokens, memory would limit the speed.
_LOGITS, _LEAST_TOKENS = 2**23, 64
# Number of blocks of classes in which the kernel's gradient is summed, unless it is small.
_BLOCKS, _SMALL = 8, 2**18


class Linear(NamedTuple):
    """The differentiable inputs.

    Attributes:
        hidden: `(N, D)`.
        kernel: `(D, K)`, or `(K, D)` if it is transposed.
        bias: `(K,)`, or `None`.
    """

    hidden: Any
    kernel: Any
    bias: Any


class Rows(NamedTuple):
    """The targets of each token.

    Attributes:
        ids: int32 tensor `(N, J)`: classes with mass besides the prior's.
        masses: Tensor `(N, J)`: their mass.
        weights: Tensor `(N,)`: the weight of the token's loss in the sum. Where it is 0, the hidden
            states may have any value, even NaN.
    """

    ids: Any
    masses: Any
    weights: Any


class Fixed(NamedTuple):
    """The options that are not tensors.

    Attributes:
        alpha: The mass of the prior.
        prior: float64 array `(K,)`, or `None`.
        num_classes: K.
        transposed: Whether the kernel is `(K, D)`.
        chunk_size: Number of tokens computed at once; `None` for a good default.
        dtype: Dtype of the computation, float32 or better.
        soft_cap: c, if the logits are c tanh(z / c) of the linear layer's output z.
    """

    alpha: float
    prior: np.ndarray | None
    num_classes: int
    transposed: bool
    chunk_size: int | None
    dtype: str
    soft_cap: float | None = None

    @property
    def axis_of_classes(self) -> int:
        """The kernel's axis of the classes."""
        return 0 if self.transposed else 1

    @property
    def most_tokens(self) -> int:
        """The maximum number of tokens computed at once."""
        return self.chunk_size or max(_LEAST_TOKENS, _LOGITS // self.num_classes)

    def blocks(self, num_features: int) -> list[slice]:
        """Returns the blocks of classes in which the kernel's gradient is summed.

        The product that is added then doesn't need a second tensor of the kernel's size.
        """
        size = max(-(-self.num_classes // _BLOCKS), _SMALL // num_features, 1)
        starts = range(0, self.num_classes, size)
        return [slice(start, min(start + size, self.num_classes)) for start in starts]

    def stored(self, dtype) -> str:
        """Returns the dtype in which a gradient is stored until the backward pass.

        Not float16, where it may underflow before it is multiplied by a loss scale.
        """
        dtype = keras.backend.standardize_dtype(dtype)
        return dtype if dtype == "bfloat16" else self.dtype

"""What smoothed cross-entropy of `hidden @ kernel + bias` is made of, in any backend's terms."""

from typing import Any, NamedTuple

import keras
import numpy as np

# Logits held at once: 32 MiB. Fewer tokens than that would wait for memory, not for products.
_LOGITS, _LEAST_TOKENS = 2**23, 64
# The kernel's gradient is added up in so many blocks of classes, unless it is small.
_BLOCKS, _SMALL = 8, 2**18


class Linear(NamedTuple):
    """What gradients are for.

    Attributes:
        hidden: `(N, D)`.
        kernel: `(D, K)`, or `(K, D)` where it is transposed.
        bias: `(K,)`, or `None`.
    """

    hidden: Any
    kernel: Any
    bias: Any


class Rows(NamedTuple):
    """What else is known of each token.

    Attributes:
        ids: int32 tensor `(N, J)`: classes that have mass beside the prior's.
        masses: Tensor `(N, J)`: how much.
        weights: Tensor `(N,)`: what the token's loss is multiplied by in the sum. Where it is 0,
            the hidden states may be anything, NaN too.
    """

    ids: Any
    masses: Any
    weights: Any


class Fixed(NamedTuple):
    """What is no tensor.

    Attributes:
        alpha: The mass that follows the prior.
        prior: float64 array `(K,)`, or `None`.
        num_classes: K.
        transposed: Whether the kernel is `(K, D)`.
        chunk_size: How many tokens are computed at once; `None`: what memory and speed suggest.
        dtype: Of the arithmetic: float32 or better.
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
        """Which of the kernel's axes they are."""
        return 0 if self.transposed else 1

    @property
    def most_tokens(self) -> int:
        """How many tokens are computed at once, at most."""
        return self.chunk_size or max(_LEAST_TOKENS, _LOGITS // self.num_classes)

    def blocks(self, num_features: int) -> list[slice]:
        """Returns the blocks of classes in which the kernel's gradient is added up.

        A product that is to be added is then no second tensor of the kernel's size.
        """
        size = max(-(-self.num_classes // _BLOCKS), _SMALL // num_features, 1)
        starts = range(0, self.num_classes, size)
        return [slice(start, min(start + size, self.num_classes)) for start in starts]

    def stored(self, dtype) -> str:
        """Returns the dtype in which a gradient waits for the factor that backpropagation brings.

        Not float16, in which it may be 0 before a loss scale comes to multiply it.
        """
        dtype = keras.backend.standardize_dtype(dtype)
        return dtype if dtype == "bfloat16" else self.dtype

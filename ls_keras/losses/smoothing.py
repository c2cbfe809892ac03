"""What a smoothing is: where the mass goes that it takes off the target."""

from typing import Any, NamedTuple

import numpy as np

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_keras.inputs.validation import as_array, shown


class Spread(NamedTuple):
    """A distribution over the classes: by class or by position, one of the two.

    Attributes:
        prior: float64 array `(K,)`, the same for every position, or `None`.
        ids: int32 tensor `(..., J)`: the classes that get mass at each position, or `None`.
        weights: float32 tensor `(..., J)` that sums to 1 over the last axis, or `None`.
    """

    prior: np.ndarray | None = None
    ids: Any = None
    weights: Any = None


class Smoothing:
    """Base of the smoothings: a distribution q, of which the targets get α.

    y_k^LS = (1 − α) y_k + α q_k

    A subclass implements `spread` and `get_config`, and registers itself for serialization.
    """

    def spread(self, labels, valid, num_classes: int) -> Spread:
        """Returns q.

        Args:
            labels: int32 tensor `(...)`, or `None` for dense targets.
            valid: Boolean tensor `(...)`, false where a position is ignored, or `None`.
            num_classes: K.
        """
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """Makes the smoothing from `get_config()`."""
        return cls(**config)

    def __repr__(self) -> str:
        return brief_repr(self, **{k: v for k, v in self.get_config().items() if v != []})

    def __eq__(self, other) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash(type(self))


def masses(values, name: str) -> np.ndarray:
    """Returns non-negative, finite numbers as a float64 array `(n,)`.

    Args:
        values: Numbers, one at least.
        name: What they are called in the message.

    Raises:
        InputError: If they are anything else.
    """
    vector = as_array(values, name).astype(np.float64)
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all() or (vector < 0).any():
        raise InputError(
            f"Expected {name} to be non-negative, finite numbers in one dimension. Received: "
            f"{shown(values)}"
        )
    return vector

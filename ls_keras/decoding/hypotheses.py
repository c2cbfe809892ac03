"""What a search returns."""

from typing import Any, NamedTuple

import numpy as np

from ls_base.errors import InputError
from ls_base.short_repr import one_line
from ls_keras.backend.tensors import to_numpy_or_none


class Hypotheses(NamedTuple):
    """Decoded sequences, best first where there are several a sample.

    `...` is `(batch,)` for a greedy search and `(batch, num_return)` for a beam search.

    Attributes:
        tokens: int32 tensor `(..., max_length)`: what follows the start token, up to and with the
            end token, then `pad_token`.
        scores: float32 tensor `(...)`.
        lengths: int32 tensor `(...)`: the number of tokens, the end token among them.
    """

    tokens: Any
    scores: Any
    lengths: Any

    def __repr__(self) -> str:
        return one_line(self, **self._asdict())


def check_failed(failed) -> None:
    """Raises, in eager use, if the step function gave NaN for some sample."""
    values = to_numpy_or_none(failed)
    if values is not None and values.any():
        raise InputError(
            "Expected logits that are finite or -inf. Received: NaN or +inf for samples "
            f"{np.flatnonzero(values)[:8].tolist()} of the batch"
        )

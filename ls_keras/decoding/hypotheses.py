"""The results of a search, and the scores that rank them."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from keras import ops

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_keras.backend.tensors import to_numpy_or_none
from ls_keras.decoding.search_options import read_scalar


class Hypotheses(NamedTuple):
    """Decoded sequences, best first if there are several for each sample.

    `...` is `(batch,)` for greedy search and `(batch, num_return)` for beam search.

    Attributes:
        tokens: int32 tensor `(..., max_length)`: the tokens after the start token, including the
            end token, then `pad_token`.
        scores: float32 tensor `(...)`.
        lengths: int32 tensor `(...)`: number of tokens, including the end token.
    """

    tokens: Any
    scores: Any
    lengths: Any

    def __repr__(self) -> str:
        return brief_repr(self, **self._asdict())


def check_failed(failed) -> None:
    """Raises an `InputError` in eager mode if the step function returned NaN for a sample."""
    values = to_numpy_or_none(failed)
    if values is not None and values.any():
        raise InputError(
            "Expected logits that are finite or -inf. Received: NaN or +inf for samples "
            f"{np.flatnonzero(values)[:8].tolist()} of the batch"
        )


class Scorer(Protocol):
    """Interface for ranking finished hypotheses and bounding the score of unfinished ones.

    `log_probs` is a float32 tensor `(rows,)` with rows = batch × beams. Rows without a hypothesis
    are −inf, and their result is not used. `state` is the state of `step`, with rows in the
    same order: a coverage penalty can read the attention that step accumulates there. Live beams
    all have the same length and are ranked by log-probability alone.
    """

    def score(self, log_probs, length, state) -> Any:
        """Returns the scores `(rows,)` of hypotheses with `length` tokens, including the end token.

        `state` is the state that `step` returned with the logits of the last token.
        """

    def bound(self, log_probs, max_length: int, state) -> Any:
        """Returns upper bounds `(rows,)` on the scores of all continuations up to `max_length`.

        A bound that is too high costs steps; a bound that is too low loses hypotheses.
        """


class LengthPenalty:
    """Divides log-probabilities by the length penalty of GNMT.

    `score = log p(y) / ((5 + |y|) / 6)^a`. As `log p ≤ 0` falls with each token and the divisor
    grows with the length, `log p(prefix) / ((5 + max_length) / 6)^a` bounds every continuation.

    Args:
        exponent: a ≥ 0, a number or a scalar tensor; 0 ranks by log-probability. Default: 0.6.

    References:
        Wu et al. 2016, *Google's Neural Machine Translation System*, section 7
        (arXiv 1609.08144).
    """

    def __init__(self, exponent=0.6):
        self.exponent = read_scalar("length_penalty", exponent, positive=False)

    def __repr__(self) -> str:
        return brief_repr(self, exponent=self.exponent)

    def score(self, log_probs, length, state=None):
        """Returns `log_probs` divided by the penalty at `length`."""
        base = (5.0 + ops.cast(length, "float32")) / 6.0
        return log_probs / ops.power(base, ops.cast(self.exponent, "float32"))

    def bound(self, log_probs, max_length, state=None):
        """Returns `log_probs` divided by the penalty at `max_length`."""
        return self.score(log_probs, max_length)

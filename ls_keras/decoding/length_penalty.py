"""What ranks finished hypotheses: the GNMT length penalty, and the interface it is one case of."""

from typing import Any, Protocol

from keras import ops

from ls_base.brief_repr import brief_repr
from ls_keras.decoding.search_options import read_scalar


class Scorer(Protocol):
    """Ranks finished hypotheses, and says how high an unfinished one can still come.

    `log_probs` is a float32 tensor `(rows,)`, rows being batch × beams; −inf in rows that hold no
    hypothesis, whose result is not used. `state` is the state of `step`, its rows aligned with
    `log_probs`: a coverage penalty reads the attention that step accumulates there. Live beams,
    which are all of one length, are ranked by log-probability alone.
    """

    def score(self, log_probs, length, state) -> Any:
        """Returns the scores `(rows,)` of hypotheses of `length` tokens, the end token counted.

        `state` is what `step` returned with the logits of the last token.
        """

    def bound(self, log_probs, max_length: int, state) -> Any:
        """Returns `(rows,)`: no continuation, up to `max_length` tokens, can score above it.

        A bound that is too high costs steps; one that is too low costs hypotheses.
        """


class LengthPenalty:
    """Log-probability over the length penalty of GNMT.

    `score = log p(y) / ((5 + |y|) / 6)^a`. As `log p ≤ 0` falls with each token and the divisor
    grows with the length, `log p(prefix) / ((5 + max_length) / 6)^a` bounds every continuation.

    Args:
        exponent: a ≥ 0, a number or a scalar tensor; 0 ranks by log-probability.

    References:
        Wu et al. 2016, *Google's Neural Machine Translation System*, section 7
        (arXiv 1609.08144).
    """

    def __init__(self, exponent=0.6):
        self.exponent = read_scalar("length_penalty", exponent, positive=False)

    def __repr__(self) -> str:
        return brief_repr(self, exponent=self.exponent)

    def score(self, log_probs, length, state=None):
        """Returns `log_probs` over the penalty at `length`."""
        return log_probs / self._divisor(length)

    def bound(self, log_probs, max_length, state=None):
        """Returns `log_probs` over the penalty at `max_length`."""
        return log_probs / self._divisor(max_length)

    def _divisor(self, length):
        base = (5.0 + ops.cast(length, "float32")) / 6.0
        return ops.power(base, ops.cast(self.exponent, "float32"))

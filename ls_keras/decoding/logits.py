"""Reading the logits of a step: checks, smoothing undone, temperature, forbidden tokens.

Log-probabilities are never computed for a whole vocabulary: a row's order is that of its logits,
so a search needs the log-normalizer of each row (one reduction) and the few logits it picks.
Undoing smoothing is the exception: it changes the logits themselves.
"""

from typing import Any, NamedTuple

from keras import ops

from ls_base.errors import InputError
from ls_keras.decoding.unsmoothed import Unsmoothing


class Rules(NamedTuple):
    """Which tokens may come at which length.

    Attributes:
        end_token: Id of the end token.
        min_length: No end token before this length, which counts it.
        forbidden_tokens: Ids that never come.
    """

    end_token: int
    min_length: int
    forbidden_tokens: tuple[int, ...]


class StepLogits(NamedTuple):
    """The logits of one step, read.

    Attributes:
        allowed: float32 tensor `(rows, vocabulary)`: logits, of p* where smoothing is undone, over
            temperature; −inf for tokens that may not come. `allowed − normalizer` are
            log-probabilities.
        normalizer: float32 tensor `(rows,)`: the log-normalizer of *all* tokens: what is forbidden
            is left out, its probability is not handed to the others. 0 for a row of −inf only, so
            that its tokens get −inf, not NaN.
        failed: Boolean tensor `(rows,)`: rows with NaN or +inf.
    """

    allowed: Any
    normalizer: Any
    failed: Any


def read_logits(
    logits, length, *, rules: Rules, temperature=None, unsmooth: Unsmoothing | None = None
) -> StepLogits:
    """Reads logits `(rows, vocabulary)` of any float dtype as float32.

    Args:
        logits: Tensor `(rows, vocabulary)`.
        length: Scalar tensor: the length that the hypotheses get with the next token.
        rules: Which tokens may come.
        temperature: Scalar the logits are divided by, or `None` for 1.
        unsmooth: Which smoothing to undo first, or `None`.

    Raises:
        InputError: If the shape is not `(rows, vocabulary)` with a known vocabulary of two tokens
            or more, if a token of `rules` is not in it, or if the smoothing is for another one.
    """
    shape = tuple(logits.shape)
    if len(shape) != 2 or shape[1] is None or shape[1] < 2:
        raise InputError(
            "Expected step to return logits of shape (rows, vocabulary) with a vocabulary of at "
            f"least 2. Received: logits of shape {shape}"
        )
    outside = [t for t in (rules.end_token, *rules.forbidden_tokens) if t >= shape[1]]
    if outside:
        raise InputError(
            f"Expected token ids in [0, {shape[1]}), the vocabulary of the logits. "
            f"Received: {outside}"
        )
    logits = ops.cast(logits, "float32")
    if unsmooth is not None:
        logits = unsmooth.logits(logits)
    if temperature is not None:
        logits = logits / ops.cast(temperature, "float32")
    normalizer = ops.logsumexp(logits, axis=-1)
    failed = ops.logical_or(ops.isnan(normalizer), normalizer == float("inf"))
    normalizer = ops.where(ops.isfinite(normalizer), normalizer, 0.0)
    return StepLogits(_allowed(logits, length, rules), normalizer, failed)


def _allowed(logits, length, rules: Rules):
    if not rules.forbidden_tokens and rules.min_length < 2:
        return logits
    ids = ops.arange(logits.shape[1], dtype="int32")
    wrong = ops.logical_and(ids == rules.end_token, length < rules.min_length)
    for token in rules.forbidden_tokens:
        wrong = ops.logical_or(wrong, ids == token)
    return ops.where(wrong, float("-inf"), logits)

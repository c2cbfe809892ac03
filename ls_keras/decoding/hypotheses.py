"""What a search returns, and what every search asks of its arguments."""

import operator
from typing import Any, NamedTuple

import numpy as np

from ls_base.errors import InputError
from ls_keras.concrete import concrete


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


def read_count(name: str, value, minimum: int) -> int:
    """Returns `value` as an integer of at least `minimum`."""
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = None
    if count is None or count < minimum:
        raise InputError(f"Expected {name} to be an integer ≥ {minimum}. Received: {value!r}")
    return count


def read_batch_size(value):
    """Returns `value` as an integer, or untouched where it is a tensor in a graph."""
    if hasattr(value, "shape"):
        known = concrete(value)
        if known is None:
            return value
        value = known.item() if known.size == 1 else known
    return read_count("batch_size", value, 1)


def read_tokens(name: str, tokens) -> tuple[int, ...]:
    """Returns token ids as a sorted tuple of integers ≥ 0."""
    try:
        ids = tuple(tokens)
    except TypeError:
        raise InputError(f"Expected {name} to be token ids. Received: {tokens!r}") from None
    return tuple(sorted({read_count(name, token, 0) for token in ids}))


def check_lengths(min_length, max_length) -> tuple[int, int]:
    """Returns both as integers with 0 ≤ `min_length` ≤ `max_length` and `max_length` ≥ 1."""
    max_length = read_count("max_length", max_length, 1)
    min_length = read_count("min_length", min_length, 0)
    if min_length > max_length:
        raise InputError(
            f"Expected min_length ≤ max_length={max_length}. Received: min_length={min_length}"
        )
    return min_length, max_length


def read_scalar(name: str, value, *, positive: bool):
    """Returns `value`, whose range is checked unless it is a tensor in a graph."""
    try:
        known = concrete(value)
        number = None if known is None else float(known.item())
    except (TypeError, ValueError):
        number = float("nan")
    if number is not None and not (
        np.isfinite(number) and (number > 0 if positive else number >= 0)
    ):
        sign = "> 0" if positive else "≥ 0"
        raise InputError(f"Expected {name} to be a finite number {sign}. Received: {value!r}")
    return value


def check_failed(failed) -> None:
    """Raises, in eager use, if the step function gave NaN for some sample."""
    values = concrete(failed)
    if values is not None and values.any():
        raise InputError(
            "Expected logits that are finite or -inf. Received: NaN or +inf for samples "
            f"{np.flatnonzero(values)[:8].tolist()} of the batch"
        )

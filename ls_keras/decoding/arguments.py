"""What every search asks of its arguments. `greedy_search` documents those that all have."""

import operator
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ls_base.errors import InputError
from ls_keras.concrete import concrete
from ls_keras.decoding.logits import Rules


class SearchArguments(NamedTuple):
    """The arguments that all searches have, read.

    Attributes:
        batch_size: Integer, or a scalar tensor in a graph.
        max_length: Most tokens in a hypothesis.
        start_token: Id fed at position 0.
        rules: Which tokens may come at which length.
    """

    batch_size: Any
    max_length: int
    start_token: int
    rules: Rules


def read_arguments(
    *,
    batch_size,
    max_length: int,
    start_token: int,
    end_token: int,
    min_length: int,
    forbidden_tokens: Iterable[int],
) -> SearchArguments:
    """Returns the arguments that all searches have, or raises an `InputError`."""
    min_length, max_length = check_lengths(min_length, max_length)
    rules = Rules(
        read_count("end_token", end_token, 0),
        min_length,
        read_tokens("forbidden_tokens", forbidden_tokens),
    )
    return SearchArguments(
        read_batch_size(batch_size), max_length, read_count("start_token", start_token, 0), rules
    )


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

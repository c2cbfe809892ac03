"""What every search asks of its arguments. `greedy_search` documents those that all have."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_tensor, to_numpy_or_none
from ls_keras.decoding.logits import Rules
from ls_keras.decoding.unsmoothed import Unsmoothing
from ls_keras.errors import shown
from ls_keras.inputs.validation import MAX_CLASSES, as_count, as_counts, as_number

MAX_TOKENS = 2**28


class SearchArguments(NamedTuple):
    """The arguments that all searches have, read.

    Attributes:
        batch_size: Integer, or a scalar tensor in a graph.
        max_length: Most tokens in a hypothesis.
        start_token: Id fed at position 0.
        rules: Which tokens may come at which length.
        unsmooth: Which smoothing to undo; `None` where there is nothing to undo.
    """

    batch_size: Any
    max_length: int
    start_token: int
    rules: Rules
    unsmooth: Unsmoothing | None


def read_arguments(
    *,
    batch_size,
    max_length: int,
    start_token: int,
    end_token: int,
    pad_token: int,
    min_length: int,
    forbidden_tokens: Iterable[int],
    unsmooth: Unsmoothing | None,
) -> SearchArguments:
    """Returns the arguments that all searches have, or raises an `InputError`."""
    min_length, max_length = check_lengths(min_length, max_length)
    as_count(pad_token, "pad_token", -(2**31))
    rules = Rules(
        as_count(end_token, "end_token"),
        min_length,
        read_tokens("forbidden_tokens", forbidden_tokens),
    )
    batch_size = read_batch_size(batch_size)
    check_size(batch_size, max_length)
    start_token = as_count(start_token, "start_token")
    return SearchArguments(batch_size, max_length, start_token, rules, read_unsmooth(unsmooth))


def read_unsmooth(value) -> Unsmoothing | None:
    """Returns an `Unsmoothing` that does something, or `None`."""
    if value is None or isinstance(value, Unsmoothing):
        return value if value is not None and value.alpha else None
    raise InputError(
        f"Expected unsmooth to be ls_keras.decoding.Unsmoothing(alpha). Received: {shown(value)}"
    )


def read_batch_size(value):
    """Returns `value` as an integer, or untouched where it is a tensor in a graph."""
    if hasattr(value, "shape"):
        known = to_numpy_or_none(value)
        if known is None:
            return value
        value = known.item() if known.size == 1 else known
    return as_count(value, "batch_size", 1)


def read_tokens(name: str, tokens) -> tuple[int, ...]:
    """Returns token ids as a sorted tuple of integers ≥ 0."""
    if isinstance(tokens, Iterable) and not hasattr(tokens, "__len__"):  # a generator
        tokens = tuple(itertools.islice(tokens, MAX_CLASSES))
    return tuple(sorted(set(as_counts(tokens, name))))


def check_lengths(min_length, max_length) -> tuple[int, int]:
    """Returns both as integers with 0 ≤ `min_length` ≤ `max_length` and `max_length` ≥ 1."""
    max_length = as_count(max_length, "max_length", 1)
    min_length = as_count(min_length, "min_length")
    if min_length > max_length:
        raise InputError(
            f"Expected min_length ≤ max_length={max_length}. Received: min_length={min_length}"
        )
    return min_length, max_length


def read_scalar(name: str, value, *, positive: bool):
    """Returns `value`, whose range is checked unless it is a tensor in a graph."""
    if not hasattr(value, "shape"):
        return as_number(value, name, low=0, above=positive)
    known = to_numpy_or_none(as_tensor(value, name))
    if known is None:
        return value
    number = float(known.item()) if known.size == 1 else float("nan")
    if not (np.isfinite(number) and (number > 0 if positive else number >= 0)):
        sign = "> 0" if positive else "≥ 0"
        raise InputError(f"Expected {name} to be a finite number {sign}. Received: {shown(value)}")
    return value


def check_size(batch_size, max_length: int, beams: int = 1) -> None:
    """Raises unless the tokens of all hypotheses fit into 1 GiB."""
    if isinstance(batch_size, int) and batch_size * beams * max_length > MAX_TOKENS:
        raise InputError(
            f"Expected batch_size × beams × max_length to be at most {MAX_TOKENS:,}. "
            f"Received: {batch_size} × {beams} × {max_length}"
        )

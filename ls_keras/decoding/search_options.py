"""Arguments that all searches share (documented in `greedy_search`), and their use on logits."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from ls_keras.backend.tensors import as_tensor, to_numpy_or_none
from ls_keras.decoding.unsmoothed import Unsmoothing
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import MAX_CLASSES, as_count, as_counts, as_number

MAX_TOKENS = 2**28


class TokenConstraints(NamedTuple):
    """The tokens that are allowed at each length.

    Attributes:
        end_token: Id of the end token.
        min_length: Smallest length with an end token, which counts.
        forbidden_tokens: Ids that are never allowed.
    """

    end_token: int
    min_length: int
    forbidden_tokens: tuple[int, ...]


class SearchArguments(NamedTuple):
    """The validated arguments that all searches share.

    Attributes:
        batch_size: Integer, or a scalar tensor in a graph.
        max_length: Largest number of tokens in a hypothesis.
        start_token: Id of the token at position 0.
        constraints: The allowed tokens.
        unsmooth: The smoothing to remove, or `None`.
    """

    batch_size: Any
    max_length: int
    start_token: int
    constraints: TokenConstraints
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
    """Validates the arguments that all searches share, or raises an `InputError`."""
    max_length = as_count(max_length, "max_length", 1)
    min_length = as_count(min_length, "min_length")
    if min_length > max_length:
        raise InputError(
            f"Expected min_length ≤ max_length={max_length}. Received: min_length={min_length}"
        )
    as_count(pad_token, "pad_token", -(2**31))
    if isinstance(forbidden_tokens, Iterable) and not hasattr(forbidden_tokens, "__len__"):
        forbidden_tokens = tuple(itertools.islice(forbidden_tokens, MAX_CLASSES))  # a generator
    forbidden = tuple(sorted(set(as_counts(forbidden_tokens, "forbidden_tokens"))))
    constraints = TokenConstraints(as_count(end_token, "end_token"), min_length, forbidden)
    is_tensor = hasattr(batch_size, "shape")
    known: Any = to_numpy_or_none(as_tensor(batch_size, "batch_size")) if is_tensor else batch_size
    if known is not None or not is_tensor:  # otherwise a tensor in a graph
        known = known.item() if hasattr(known, "size") and known.size == 1 else known
        batch_size = as_count(known, "batch_size", 1)
    check_size(batch_size, max_length)
    start_token = as_count(start_token, "start_token")
    unsmooth = read_unsmooth(unsmooth)
    return SearchArguments(batch_size, max_length, start_token, constraints, unsmooth)


def read_unsmooth(value) -> Unsmoothing | None:
    """Returns an `Unsmoothing` with α > 0, or `None`."""
    if value is None or isinstance(value, Unsmoothing):
        return value if value is not None and value.alpha else None
    raise InputError(
        f"Expected unsmooth to be ls_keras.decoding.Unsmoothing(alpha). Received: {shown(value)}"
    )


def read_scalar(name: str, value, *, positive: bool):
    """Returns a number, or a scalar tensor; the range is checked if the value is known."""
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
    """Raises an `InputError` unless the tokens of all hypotheses fit into 1 GiB."""
    if isinstance(batch_size, int) and batch_size * beams * max_length > MAX_TOKENS:
        raise InputError(
            f"Expected batch_size × beams × max_length to be at most {MAX_TOKENS:,}. "
            f"Received: {batch_size} × {beams} × {max_length}"
        )


class StepLogits(NamedTuple):
    """The logits of one step; log-probabilities are `allowed − normalizer`.

    They are not computed for the whole vocabulary: a row has the same order as its logits, so a
    search needs the log-normalizer of each row (one reduction) and the few logits that it picks.

    Attributes:
        allowed: float32 tensor `(rows, vocabulary)`: logits, of p* if smoothing is removed, divided
            by the temperature; −inf for tokens that are not allowed.
        normalizer: float32 tensor `(rows,)`: the log-normalizer of *all* tokens: the probability
            of forbidden tokens is not given to the others. 0 for rows of −inf only, so that
            their tokens get −inf and not NaN.
        failed: Boolean tensor `(rows,)`: rows with NaN or +inf.
    """

    allowed: Any
    normalizer: Any
    failed: Any


def read_logits(
    logits,
    length,
    *,
    constraints: TokenConstraints,
    temperature=None,
    unsmooth: Unsmoothing | None = None,
) -> StepLogits:
    """Converts the logits of a step to float32, with smoothing removed and tokens excluded.

    Args:
        logits: Tensor `(rows, vocabulary)` of any float dtype.
        length: Scalar tensor: the length of the hypotheses with the next token.
        constraints: The allowed tokens.
        temperature: Scalar that divides the logits. Default: `None`, for 1.
        unsmooth: The smoothing to remove first. Default: `None`.

    Raises:
        InputError: If the shape is not `(rows, vocabulary)` with a known vocabulary of at least two
            tokens, a constrained token is not in it, or the smoothing has another size.
    """
    shape = tuple(logits.shape)
    if len(shape) != 2 or shape[1] is None or shape[1] < 2:
        raise InputError(
            "Expected step to return logits of shape (rows, vocabulary) with a vocabulary of at "
            f"least 2. Received: logits of shape {shape}"
        )
    tokens = (constraints.end_token, *constraints.forbidden_tokens)
    outside = [t for t in tokens if t >= shape[1]]
    if outside:
        raise InputError(
            f"Expected token ids in [0, {shape[1]}), the vocabulary of the logits. "
            f"Received: {shown(outside)}"
        )
    logits = ops.cast(logits, "float32")
    if unsmooth is not None:
        logits = unsmooth.logits(logits)
    if temperature is not None:
        logits = logits / ops.cast(temperature, "float32")
    normalizer = ops.logsumexp(logits, axis=-1)
    failed = ops.logical_or(ops.isnan(normalizer), normalizer == float("inf"))
    normalizer = ops.where(ops.isfinite(normalizer), normalizer, 0.0)
    return StepLogits(_exclude(logits, length, constraints), normalizer, failed)


def _exclude(logits, length, constraints: TokenConstraints):
    if not constraints.forbidden_tokens and constraints.min_length < 2:
        return logits
    ids = ops.arange(logits.shape[1], dtype="int32")
    wrong = ops.logical_and(ids == constraints.end_token, length < constraints.min_length)
    for token in constraints.forbidden_tokens:
        wrong = ops.logical_or(wrong, ids == token)
    return ops.where(wrong, float("-inf"), logits)

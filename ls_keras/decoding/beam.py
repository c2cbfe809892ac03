"""Beam search with a pool of finished hypotheses separate from the live beams."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.decoding.gather import first_top_k, flat_rows, take_places, take_rows
from ls_keras.decoding.hypotheses import Hypotheses, LengthPenalty, Scorer, check_failed
from ls_keras.decoding.search_options import (
    TokenConstraints,
    check_size,
    read_arguments,
    read_logits,
    read_scalar,
)
from ls_keras.decoding.state import BeamOrder, read_state
from ls_keras.decoding.unsmoothed import Unsmoothing
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_choice, as_count, as_function

_NEVER = float("-inf")  # the score of a place without a hypothesis


@no_autograph
def beam_search(
    step: Callable,
    initial_state,
    *,
    batch_size,
    beam_size: int = 4,
    max_length: int,
    start_token: int,
    end_token: int,
    pad_token: int = 0,
    length_penalty=0.6,
    scorer: Scorer | None = None,
    temperature=1.0,
    num_return: int = 1,
    stop: str = "bound",
    unfinished: str = "fallback",
    min_length: int = 0,
    forbidden_tokens: Iterable[int] = (),
    unsmooth: Unsmoothing | None = None,
) -> Hypotheses:
    """Decodes a batch by beam search, in one loop of fixed shapes.

    Each step ranks the one-token extensions of the live beams of a sample by log-probability.
    Extensions among the best `beam_size` that end are finished hypotheses and enter the pool of the
    best `num_return`, ranked by `log p(y) / ((5 + |y|) / 6)^length_penalty`; the best `beam_size`
    that do not end are the next live beams. So `beam_size=1` with `length_penalty=0` is
    `greedy_search`. Ties go to the earlier beam, then to the lower id.

    A sample is done, and its hypotheses are final, when

    - `stop="bound"`: no live beam can beat the worst hypothesis kept. Log-probabilities are sums
      of terms ≤ 0, so they only fall, and the divisor is largest at `max_length`: a beam with
      `log p` cannot end with more than `log p / ((5 + max_length) / 6)^length_penalty`. The
      search continues while fewer than `num_return` hypotheses have finished. The result is that
      of a search that never stops early. The smaller `max_length`, the sooner it stops.
    - `stop="first"`: the first `num_return` hypotheses have finished, even if better ones might
      follow.

    The loop ends when all samples are done. Because shapes are fixed, the rows of samples that are
    done are still computed until then: batches of similar lengths waste the least.

    Args:
        step: As in `greedy_search`. The rows are batch × beam: all beams of sample 0 first.
        initial_state: As in `greedy_search`, with the batch as leading axis; it is repeated for
            the beams, and its rows move with the beams. Leaves that step returns unchanged, such as
            keys and values of an encoder, are not moved, because the beams of a sample share them.
        batch_size: As in `greedy_search`.
        beam_size: Number of live beams; may exceed the vocabulary. Default: 4.
        max_length: As in `greedy_search`.
        start_token: As in `greedy_search`.
        end_token: As in `greedy_search`.
        pad_token: As in `greedy_search`.
        length_penalty: Exponent a ≥ 0: a number, or a scalar tensor. Default: 0.6.
        scorer: Ranks hypotheses instead of the length penalty, with its own bound;
            `length_penalty` is then ignored. Default: `None`.
        temperature: T > 0, a number or a scalar tensor that divides the logits before the
            log-softmax. Default: 1.
        num_return: Hypotheses to return for each sample, 1 to `beam_size`. Default: 1.
        stop: `"bound"` or `"first"`. Default: `"bound"`.
        unfinished: Use of live beams at `max_length`. `"fallback"`, the default: they are returned
            only for samples without a finished hypothesis. `"compete"`: they are ranked together
            with the finished ones. Missing the log-probability of the end token favors them,
            endless repetitions most of all.
        min_length: As in `greedy_search`.
        forbidden_tokens: As in `greedy_search`.
        unsmooth: As in `greedy_search`; applied before the temperature.

    Returns:
        `Hypotheses`: `tokens` `(batch, num_return, max_length)`, `scores` and `lengths`
        `(batch, num_return)`, best first. If a sample has fewer hypotheses, the remaining places
        have `pad_token`, score −inf and length 0. Unfinished hypotheses have length `max_length`
        and no end token.

    Raises:
        InputError: As in `greedy_search`.

    Example:
        >>> import numpy as np
        >>> from keras import ops
        >>> from ls_keras.decoding import beam_search
        >>> no = 1e-9  # row: the token before; 0 starts, 1 ends
        >>> table = np.log([[no, no, .6, .4], [no, 1, no, no], [no, .4, .3, .3], [no, .9, .1, no]])
        >>> def step(tokens, state, index):
        ...     return ops.take(ops.convert_to_tensor(table), tokens, axis=0), state
        >>> found = beam_search(
        ...     step, (), batch_size=1, beam_size=2, max_length=3, start_token=0, end_token=1,
        ...     length_penalty=0.0, num_return=2,
        ... )
        >>> ops.convert_to_numpy(found.tokens).tolist()  # greedy finds the second
        [[[3, 1, 0], [2, 1, 0]]]
        >>> [round(float(p), 2) for p in ops.exp(found.scores[0])]  # .4 × .9, .6 × .4
        [0.36, 0.24]

    References:
        Wu et al. 2016, *Google's Neural Machine Translation System* (arXiv 1609.08144).
        Huang, Zhao and Ma 2017, *When to Finish? Optimal Beam Search for Neural Text
        Generation* (arXiv 1809.00069), on stopping by bounds.
    """
    as_function(step, "step")
    batch_size, max_length, start_token, constraints, unsmooth = read_arguments(
        batch_size=batch_size,
        max_length=max_length,
        start_token=start_token,
        end_token=end_token,
        pad_token=pad_token,
        min_length=min_length,
        forbidden_tokens=forbidden_tokens,
        unsmooth=unsmooth,
    )
    scorer = LengthPenalty(length_penalty) if scorer is None else scorer
    if not (hasattr(scorer, "score") and hasattr(scorer, "bound")):
        raise InputError(f"Expected scorer to be a Scorer. Received: {shown(scorer)}")
    beam_size = as_count(beam_size, "beam_size", 1)
    num_return = as_count(num_return, "num_return", 1)
    if num_return > beam_size:
        raise InputError(
            f"Expected num_return ≤ beam_size={beam_size}. Received: num_return={num_return}"
        )
    as_choice(stop, "stop", ("bound", "first"))
    as_choice(unfinished, "unfinished", ("fallback", "compete"))
    temperature = read_scalar("temperature", temperature, positive=True)
    if isinstance(temperature, int | float) and temperature == 1:
        temperature = None  # saves a pass over rows × vocabulary
    settings = _Settings(
        beam_size,
        max_length,
        num_return,
        stop,
        unfinished,
        constraints,
        scorer,
        temperature,
        unsmooth,
    )
    check_size(batch_size, max_length, beam_size)
    order = BeamOrder(beam_size)
    beams, kept = (batch_size, beam_size), (batch_size, num_return)
    first_beam = ops.arange(beam_size, dtype="int32") == 0
    start = _Search(
        index=ops.convert_to_tensor(0, dtype="int32"),
        last=ops.full((batch_size * beam_size,), start_token, dtype="int32"),
        # Only the first beam starts; equal beams would stay equal.
        log_probs=ops.broadcast_to(ops.where(first_beam, 0.0, _NEVER), beams),
        tokens=ops.full((*beams, max_length), pad_token, dtype="int32"),
        finished=Hypotheses(
            ops.full((*kept, max_length), pad_token, dtype="int32"),
            ops.full(kept, _NEVER, dtype="float32"),
            ops.zeros(kept, dtype="int32"),
        ),
        done=ops.zeros((batch_size,), dtype="bool"),
        failed=ops.zeros((batch_size,), dtype="bool"),
        state=order.repeat(read_state(initial_state, batch_size)),
    )
    (search,) = ops.while_loop(
        lambda search: ops.logical_and(
            search.index < max_length, ops.logical_not(ops.all(search.done))
        ),
        lambda search: (_extend(search, step, order, settings),),
        (start,),
    )
    check_failed(search.failed)
    found = _with_unfinished(search, settings)
    empty = found.scores == _NEVER
    return Hypotheses(
        ops.where(ops.expand_dims(empty, -1), pad_token, found.tokens),
        ops.where(ops.expand_dims(search.failed, -1), float("nan"), found.scores),
        ops.where(empty, 0, found.lengths),
    )


class _Settings(NamedTuple):
    beam_size: int
    max_length: int
    num_return: int
    stop: str
    unfinished: str
    constraints: TokenConstraints
    scorer: Scorer
    temperature: Any
    unsmooth: Unsmoothing | None


class _Search(NamedTuple):
    """The loop variables, for B samples, K beams and at most L tokens."""

    index: Any  # position of the tokens in `last`
    last: Any  # B·K: last token of each beam
    log_probs: Any  # B × K, sorted, −inf for a place without a beam
    tokens: Any  # B × K × L
    finished: Hypotheses  # B × num_return, sorted
    done: Any  # B: the finished hypotheses are final
    failed: Any  # B: a NaN occurred before that
    state: Any  # leaves with leading axis B·K


def _extend(search: _Search, step: Callable, order: BeamOrder, settings: _Settings) -> _Search:
    """Extends every live beam by one token."""
    beam_size, end_token = settings.beam_size, settings.constraints.end_token
    length = search.index + 1
    logits, state = order.run(step, search.last, search.state, search.index)
    read = read_logits(
        logits,
        length,
        constraints=settings.constraints,
        temperature=settings.temperature,
        unsmooth=settings.unsmooth,
    )

    before = ops.reshape(search.log_probs, (-1, 1))  # B·K × 1
    normalizer = ops.expand_dims(read.normalizer, -1)
    # The best K + 1 of each beam are enough: K that continue, and its end token.
    width = min(beam_size + 1, int(logits.shape[-1]))
    values, ids = first_top_k(read.allowed, width)
    candidates = ops.reshape(_add(before, values - normalizer), (-1, beam_size * width))
    log_probs, places = first_top_k(
        candidates, 2 * beam_size
    )  # B × 2K, because at most K of them end
    ids = take_places(ops.reshape(ids, (-1, beam_size * width)), places)
    parents = places // width
    ends = ids == end_token

    # In the order of the parents, as the rows of `state`.
    admitted = ops.any(
        ops.logical_and(
            ops.expand_dims(ends[:, :beam_size], -1),
            ops.expand_dims(parents[:, :beam_size], -1) == ops.arange(beam_size, dtype="int32"),
        ),
        axis=1,
    )
    end_log_probs = _add(before, read.allowed[:, end_token : end_token + 1] - normalizer)[:, 0]
    scores = settings.scorer.score(end_log_probs, length, state)
    scores = ops.reshape(ops.where(end_log_probs > _NEVER, scores, _NEVER), (-1, beam_size))
    admitted = ops.logical_and(admitted, ops.logical_not(ops.expand_dims(search.done, -1)))
    at_index = ops.arange(settings.max_length, dtype="int32") == search.index
    new = Hypotheses(
        ops.where(at_index, end_token, search.tokens),
        ops.where(admitted, scores, _NEVER),
        ops.broadcast_to(length, ops.shape(scores)),
    )
    finished = _best([search.finished, new], settings.num_return)

    log_probs, best = first_top_k(ops.where(ends, _NEVER, log_probs), beam_size)
    parents = take_places(parents, best)
    last = ops.reshape(take_places(ids, best), (-1,))
    rows = flat_rows(parents, beam_size)
    state = order.reorder(state, rows)
    tokens = take_rows(ops.reshape(search.tokens, (-1, settings.max_length)), rows)
    tokens = ops.where(at_index, ops.expand_dims(last, -1), tokens)

    live = ops.logical_and(search.log_probs > _NEVER, ops.logical_not(search.done)[:, None])
    failed = ops.logical_and(live, ops.reshape(read.failed, (-1, beam_size)))
    return _Search(
        index=length,
        last=last,
        log_probs=log_probs,
        tokens=ops.reshape(tokens, (-1, beam_size, settings.max_length)),
        finished=finished,
        done=ops.logical_or(search.done, _is_done(finished, log_probs, state, settings)),
        failed=ops.logical_or(search.failed, ops.any(failed, axis=-1)),
        state=state,
    )


def _is_done(finished: Hypotheses, log_probs, state, settings: _Settings):
    worst = finished.scores[:, -1]  # −inf while places are empty
    none_live = log_probs[:, 0] == _NEVER
    if settings.stop == "first":
        return ops.logical_or(worst > _NEVER, none_live)
    flat = ops.reshape(log_probs, (-1,))
    bounds = settings.scorer.bound(flat, settings.max_length, state)
    bounds = ops.where(flat > _NEVER, bounds, _NEVER)
    best = ops.max(ops.reshape(bounds, (-1, settings.beam_size)), axis=-1)
    return ops.logical_or(best <= worst, none_live)


def _with_unfinished(search: _Search, settings: _Settings) -> Hypotheses:
    """Adds the live beams, all of `max_length`, of samples that are not done."""
    flat = ops.reshape(search.log_probs, (-1,))
    scores = settings.scorer.score(flat, settings.max_length, search.state)
    scores = ops.reshape(ops.where(flat > _NEVER, scores, _NEVER), (-1, settings.beam_size))
    excluded = search.done
    if settings.unfinished == "fallback":
        excluded = ops.logical_or(excluded, search.finished.scores[:, 0] > _NEVER)
    scores = ops.where(ops.expand_dims(excluded, -1), _NEVER, scores)
    lengths = ops.full_like(search.tokens[..., 0], settings.max_length)
    return _best([search.finished, Hypotheses(search.tokens, scores, lengths)], settings.num_return)


def _best(groups: list[Hypotheses], count: int) -> Hypotheses:
    """Returns the `count` best of each sample; ties go to the first group."""
    tokens, scores, lengths = (
        ops.concatenate(list(parts), axis=1) for parts in zip(*groups, strict=True)
    )
    scores, places = first_top_k(scores, count)
    return Hypotheses(take_places(tokens, places), scores, take_places(lengths, places))


def _add(log_probs, gains):
    """Adds log-probabilities of tokens, without rounding above the score of the prefix."""
    return log_probs + ops.minimum(gains, 0.0)

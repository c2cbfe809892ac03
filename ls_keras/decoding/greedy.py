"""Greedy search: the most probable token, over and over."""

from collections.abc import Callable, Iterable

from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.decoding.hypotheses import Hypotheses, check_failed
from ls_keras.decoding.logits import read_logits
from ls_keras.decoding.search_options import read_arguments
from ls_keras.decoding.state import read_state, run_step
from ls_keras.decoding.top_k import first_top_k
from ls_keras.decoding.unsmoothed import Unsmoothing
from ls_keras.inputs.validation import as_function


@no_autograph
def greedy_search(
    step: Callable,
    initial_state,
    *,
    batch_size,
    max_length: int,
    start_token: int,
    end_token: int,
    pad_token: int = 0,
    min_length: int = 0,
    forbidden_tokens: Iterable[int] = (),
    unsmooth: Unsmoothing | None = None,
) -> Hypotheses:
    """Decodes a batch by taking the most probable token at each position.

    `y_t = argmax_v log p(v | y_<t)`, the lowest id where several are equal, until the end token
    or `max_length`. The loop has fixed shapes, so it compiles (see `ls_keras.decoding.compiled`),
    and it stops as soon as every sample has ended.

    Args:
        step: `step(tokens, state, index) -> (logits, state)`. `tokens`: int32 `(rows,)`, the
            tokens at position `index` (an int32 scalar tensor, 0 for the start token). `logits`:
            `(rows, vocabulary)`, any float dtype, −inf allowed. The returned state has the
            structure, shapes and dtypes of the one given. Rows are samples here; once a sample
            has ended, its row is fed the end token and what comes of it is not used.
        initial_state: Any pytree of tensors whose leading axis is the batch.
        batch_size: Number of samples: an integer, or a scalar tensor in an uncompiled TensorFlow
            graph. Times `max_length` (and beams) at most 2^28.
        max_length: Most tokens in a hypothesis, the end token counted.
        start_token: Id fed at position 0; it is not part of the result, nor of its length.
        end_token: Id that ends a hypothesis.
        pad_token: What fills `tokens` after the end; any integer of 32 bits.
        min_length: Fewest tokens in a hypothesis, the end token counted.
        forbidden_tokens: Ids that never come. The others keep their probabilities.
        unsmooth: The smoothing that the model was trained with, to be undone: all log-probabilities
            are then log p* of `unsmoothed_log_probs`. Costs some passes over rows × vocabulary a
            step.

    Returns:
        `Hypotheses`: `tokens` `(batch, max_length)`, `scores` `(batch,)`: sum of
        log-probabilities, `lengths` `(batch,)`. A sample that never ended has length `max_length`
        and no end token. A sample for which only impossible tokens were left scores −inf.

    Raises:
        InputError: For arguments out of range, token ids outside the vocabulary, a smoothing for
            another one, a state whose
            rows are not the batch or that step changes in shape, and, in eager use, for NaN or
            +inf logits. In a compiled graph such a sample scores NaN.

    Example:
        >>> import numpy as np
        >>> from keras import ops
        >>> from ls_keras.decoding import greedy_search
        >>> table = np.log([[.1, .1, .8], [.2, .5, .3], [.1, .6, .3]])  # row: the token before
        >>> def step(tokens, state, index):
        ...     return ops.take(ops.convert_to_tensor(table), tokens, axis=0), state
        >>> found = greedy_search(
        ...     step, (), batch_size=1, max_length=4, start_token=0, end_token=1
        ... )
        >>> ops.convert_to_numpy(found.tokens).tolist()
        [[2, 1, 0, 0]]
        >>> int(found.lengths[0]), round(float(ops.exp(found.scores[0])), 3)  # .8 × .6
        (2, 0.48)
    """
    as_function(step, "step")
    batch_size, max_length, start_token, rules, unsmooth = read_arguments(
        batch_size=batch_size,
        max_length=max_length,
        start_token=start_token,
        end_token=end_token,
        pad_token=pad_token,
        min_length=min_length,
        forbidden_tokens=forbidden_tokens,
        unsmooth=unsmooth,
    )
    end_token = rules.end_token
    positions = ops.arange(max_length, dtype="int32")

    def unfinished(index, last, tokens, scores, lengths, failed, state):
        return ops.logical_and(index < max_length, ops.any(lengths == 0))

    def extend(index, last, tokens, scores, lengths, failed, state):
        logits, new_state = run_step(step, last, state, index)
        read = read_logits(logits, index + 1, rules=rules, unsmooth=unsmooth)
        best_logit, best = first_top_k(read.allowed, 1)
        gain = best_logit[:, 0] - read.normalizer
        live = lengths == 0
        best = ops.where(live, best[:, 0], end_token)
        at_index = ops.logical_and(positions == index, ops.expand_dims(live, -1))
        tokens = ops.where(at_index, ops.expand_dims(best, -1), tokens)
        scores = ops.where(live, scores + gain, scores)
        failed = ops.logical_or(failed, ops.logical_and(live, read.failed))
        ended = ops.logical_and(live, best == end_token)
        lengths = ops.where(ended, index + 1, lengths)
        return index + 1, best, tokens, scores, lengths, failed, new_state

    _, _, tokens, scores, lengths, failed, _ = ops.while_loop(
        unfinished,
        extend,
        (
            ops.convert_to_tensor(0, dtype="int32"),
            ops.full((batch_size,), start_token, dtype="int32"),
            ops.full((batch_size, max_length), pad_token, dtype="int32"),
            ops.zeros((batch_size,), dtype="float32"),
            ops.zeros((batch_size,), dtype="int32"),  # 0 while a sample has not ended
            ops.zeros((batch_size,), dtype="bool"),
            read_state(initial_state, batch_size),
        ),
    )
    check_failed(failed)
    return Hypotheses(
        tokens,
        ops.where(failed, float("nan"), scores),
        ops.where(lengths == 0, max_length, lengths),
    )

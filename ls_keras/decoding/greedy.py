"""Greedy search: the most probable token at each position."""

from collections.abc import Callable, Iterable

from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.decoding.gather import first_top_k
from ls_keras.decoding.hypotheses import Hypotheses, check_failed
from ls_keras.decoding.search_options import read_arguments, read_logits
from ls_keras.decoding.state import read_state, run_step
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

    `y_t = argmax_v log p(v | y_<t)`, with ties going to the lowest id, until the end token or
    `max_length`. The loop has fixed shapes, so it can be compiled (see
    `ls_keras.decoding.compiled`), and it stops as soon as every sample has ended.

    Args:
        step: `step(tokens, state, index) -> (logits, state)`. `tokens`: int32 `(rows,)`, the
            tokens at position `index` (an int32 scalar tensor, 0 for the start token). `logits`:
            `(rows, vocabulary)`, any float dtype, −inf allowed. The returned state must keep the
            structure, shapes and dtypes of `state`. Rows are samples here; the rows of samples
            that have ended receive the end token, and their results are not used.
        initial_state: Any pytree of tensors with the batch as leading axis.
        batch_size: Number of samples: an integer, or a scalar tensor in an uncompiled TensorFlow
            graph. The product with `max_length` (and beams) is at most 2^28.
        max_length: Largest number of tokens in a hypothesis, including the end token.
        start_token: Id of the token at position 0; it is not part of the result or its length.
        end_token: Id that ends a hypothesis.
        pad_token: Fills `tokens` after the end token; any 32-bit integer. Default: 0.
        min_length: Smallest number of tokens in a hypothesis, including the end token. Default: 0.
        forbidden_tokens: Ids that are excluded; the others keep their probabilities. Default: none.
        unsmooth: The smoothing that the model was trained with, to be removed: all
            log-probabilities are then log p* of `unsmoothed_log_probs`. Costs a few passes over
            rows × vocabulary at each step. Default: `None`.

    Returns:
        `Hypotheses`: `tokens` `(batch, max_length)`, `scores` `(batch,)`: sums of
        log-probabilities, `lengths` `(batch,)`. Samples that did not end have length `max_length`
        and no end token. Samples with only impossible tokens left score −inf.

    Raises:
        InputError: If arguments are out of range, token ids are outside the vocabulary, the
            smoothing is for another vocabulary, the rows of the state are not the batch, step
            changes its shape, or, in eager mode, logits are NaN or +inf. In a compiled graph,
            such samples score NaN.

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
    end_token = constraints.end_token
    positions = ops.arange(max_length, dtype="int32")

    def unfinished(index, last, tokens, scores, lengths, failed, state):
        return ops.logical_and(index < max_length, ops.any(lengths == 0))

    def extend(index, last, tokens, scores, lengths, failed, state):
        logits, new_state = run_step(step, last, state, index)
        read = read_logits(logits, index + 1, constraints=constraints, unsmooth=unsmooth)
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

import itertools

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import ops

from ls_base.errors import InputError
from ls_keras.decoding import LengthPenalty, beam_search, compiled, greedy_search

BACKEND = keras.config.backend()
START, END, PAD = 0, 1, -1
# Raised by PyTorch's conversion to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class RandomModel:
    """Logits that depend on the sample and on the token at each position.

    As a step function it keeps the history in three ways at once, a cache of tokens, a cache of
    vectors and a running sum, and gives nonsense if they ever disagree.
    """

    def __init__(self, rng, *, batch, vocabulary, max_length, spread=1.5, end_bias=0.0):
        # Only the start token and max_length - 1 others are used.
        self.effects = rng.normal(size=(max_length, vocabulary, vocabulary)) * spread
        self.effects[..., END] += end_bias / max_length
        self.source = rng.normal(size=(batch, vocabulary)) * spread
        self.source[:, END] += end_bias

    def initial_state(self, rows=slice(None)):
        source = self.source[rows].astype("float32")
        length = len(self.effects)
        return {
            "source": source,
            "caches": (
                np.zeros((len(source), length), "int32"),
                [np.zeros((len(source), length, source.shape[1]), "float32")],
            ),
            "sum": np.zeros_like(source),
        }

    def step(self, tokens, state, index):
        effects = ops.convert_to_tensor(self.effects.astype("float32"))
        length, vocabulary = effects.shape[:2]
        here = ops.arange(length, dtype="int32") == index
        ids, (vectors,) = state["caches"]
        ids = ops.where(here, ops.expand_dims(tokens, -1), ids)
        vector = ops.take(ops.take(effects, index, axis=0), tokens, axis=0)
        vectors = ops.where(ops.expand_dims(here, -1), ops.expand_dims(vector, 1), vectors)
        total = state["sum"] + vector
        flat = ops.reshape(effects, (-1, vocabulary))
        by_ids = ops.take(flat, ids + vocabulary * ops.arange(length, dtype="int32"), axis=0)
        seen = ops.expand_dims(ops.arange(length, dtype="int32") <= index, -1)
        by_ids = ops.sum(ops.where(seen, by_ids, 0.0), axis=1)
        wrong = ops.abs(by_ids - total) + ops.abs(ops.sum(vectors, axis=1) - total) > 1e-3
        logits = state["source"] + ops.where(wrong, 1e3, total)
        new_state = {"source": state["source"], "caches": (ids, [vectors]), "sum": total}
        return logits, new_state

    def log_probs(self, sample, prefix, temperature=1.0):
        """Returns the log-probabilities of the tokens after `prefix`, computed with NumPy."""
        logits = self.source[sample].copy()
        for position, token in enumerate([START, *prefix]):
            logits += self.effects[position, token]
        logits /= temperature
        return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()


def penalized(log_prob, length, exponent):
    return log_prob / ((5 + length) / 6) ** exponent


def plain_beam_search(
    log_probs, *, beam_size, max_length, length_penalty=0.6, num_return=1, stop="bound",
    unfinished="fallback", min_length=0, forbidden_tokens=(),
):  # fmt: skip
    """Decodes one sample with lists and returns the hypotheses and the smallest margin."""
    live, finished, margin = [(0.0, [])], [], np.inf
    for length in range(1, max_length + 1):
        candidates = []
        for log_prob, prefix in live:
            gains = np.array(log_probs(prefix))
            gains[list(forbidden_tokens)] = -np.inf
            gains[END] = -np.inf if length < min_length else gains[END]
            candidates += [(log_prob + g, [*prefix, v]) for v, g in enumerate(gains) if g > -np.inf]
        candidates.sort(key=lambda candidate: -candidate[0])
        margin = min(margin, *np.abs(np.diff([c[0] for c in candidates[: 2 * beam_size + 1]])), 9)
        for log_prob, tokens in candidates[:beam_size]:
            if tokens[-1] == END:
                finished.append((penalized(log_prob, length, length_penalty), tokens))
        live = [c for c in candidates if c[1][-1] != END][:beam_size]
        if stop == "first" and len(finished) >= num_return:
            live = []
    if unfinished == "compete" or not finished:
        finished += [(penalized(lp, max_length, length_penalty), tokens) for lp, tokens in live]
    finished.sort(key=lambda hypothesis: -hypothesis[0])
    margin = min(margin, *np.abs(np.diff([score for score, _ in finished])), 9)
    return finished[:num_return], margin


def as_numpy(found):
    return [ops.convert_to_numpy(part) for part in found]


def search(model, *, batch, rows=slice(None), **arguments):
    return as_numpy(
        beam_search(
            model.step,
            model.initial_state(rows),
            batch_size=batch,
            start_token=START,
            end_token=END,
            pad_token=PAD,
            **arguments,
        )
    )


def check_sample(found, expected, max_length):
    """Compares tokens, scores and lengths of one sample with a list of (score, tokens)."""
    tokens, scores, lengths = found
    assert (np.diff(scores[: len(expected)]) <= 0).all()
    for place in range(len(scores)):
        score, ids = expected[place] if place < len(expected) else (-np.inf, [])
        assert tokens[place].tolist() == ids + [PAD] * (max_length - len(ids))
        assert scores[place] == pytest.approx(score, abs=2e-4)
        assert lengths[place] == len(ids)


def every_hypothesis(log_probs, max_length):
    """Returns all finished and all unfinished hypotheses as (log-probability, tokens)."""
    finished, live = [], [(0.0, [])]
    for _ in range(max_length):
        longer = [
            (log_prob + gain, [*prefix, token])
            for log_prob, prefix in live
            for token, gain in enumerate(log_probs(prefix))
        ]
        finished += [c for c in longer if c[1][-1] == END]
        live = [c for c in longer if c[1][-1] != END]
    return finished, live


@pytest.mark.parametrize("unfinished", ["fallback", "compete"])
@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_a_wide_beam_equals_exhaustive_search(rng, length_penalty, unfinished):
    model = RandomModel(rng, batch=3, vocabulary=4, max_length=4)
    found = search(
        model,
        batch=3,
        beam_size=120,  # 3³ prefixes, 4 tokens each
        num_return=20,
        max_length=4,
        length_penalty=length_penalty,
        unfinished=unfinished,
    )
    for sample in range(3):
        finished, live = every_hypothesis(lambda y, s=sample: model.log_probs(s, y), 4)
        pool = finished + (live if unfinished == "compete" else [])
        expected = sorted(
            ((penalized(lp, len(y), length_penalty), y) for lp, y in pool), key=lambda c: -c[0]
        )
        check_sample([part[sample] for part in found], expected[:20], 4)


class Coverage:
    """Log-probability plus a reward for each different token in the state."""

    reward = 1.5

    def score(self, log_probs, length, state):
        return log_probs + self.reward * ops.sum(ops.minimum(state["fed"], 1.0), axis=-1)

    def bound(self, log_probs, max_length, state):
        return log_probs + self.reward * state["fed"].shape[-1]


def test_a_scorer_reads_the_state_of_its_beam(rng):
    model = RandomModel(rng, batch=3, vocabulary=4, max_length=4)

    def step(tokens, state, index):
        logits, inner = model.step(tokens, state["model"], index)
        return logits, {"model": inner, "fed": state["fed"] + ops.one_hot(tokens, 4)}

    found = as_numpy(
        beam_search(
            step,
            {"model": model.initial_state(), "fed": np.zeros((3, 4), "float32")},
            batch_size=3,
            beam_size=120,
            num_return=20,
            max_length=4,
            start_token=START,
            end_token=END,
            pad_token=PAD,
            scorer=Coverage(),
        )
    )
    for sample in range(3):
        finished, _ = every_hypothesis(lambda y, s=sample: model.log_probs(s, y), 4)
        expected = sorted(
            ((lp + 1.5 * len({START, *y[:-1]}), y) for lp, y in finished), key=lambda c: -c[0]
        )
        check_sample([part[sample] for part in found], expected[:20], 4)


@settings(deadline=None, max_examples=6 if BACKEND == "jax" else 40)  # JAX compiles each example
@given(st.data())
def test_search_equals_the_reference(data):
    draw = data.draw
    vocabulary, max_length = draw(st.integers(2, 6)), draw(st.integers(1, 6))
    beam_size = draw(st.integers(1, 5))
    forbidden = draw(st.sets(st.integers(0, vocabulary - 1), max_size=vocabulary - 2))
    arguments = {
        "beam_size": beam_size,
        "num_return": draw(st.integers(1, beam_size)),
        "max_length": max_length,
        "length_penalty": draw(st.sampled_from([0.0, 0.3, 0.6, 1.0, 3.0])),
        "stop": draw(st.sampled_from(["bound", "first"])),
        "unfinished": draw(st.sampled_from(["fallback", "compete"])),
        "min_length": draw(st.integers(0, max_length)),
        "forbidden_tokens": sorted(forbidden),
    }
    temperature = draw(st.sampled_from([0.5, 1.0, 1.7]))
    model = RandomModel(
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        batch=2,
        vocabulary=vocabulary,
        max_length=max_length,
        end_bias=draw(st.sampled_from([-2.0, 0.0, 3.0])),
    )
    expected = [
        plain_beam_search(lambda y, s=s: model.log_probs(s, y, temperature), **arguments)
        for s in range(2)
    ]
    assume(min(margin for _, margin in expected) > 1e-4)  # below that, float32 decides
    found = search(model, batch=2, temperature=temperature, **arguments)
    for sample in range(2):
        check_sample([part[sample] for part in found], expected[sample][0], max_length)


def test_results_do_not_depend_on_the_batch_size(rng):
    model = RandomModel(rng, batch=64, vocabulary=12, max_length=12, end_bias=1.0)
    arguments = {"beam_size": 4, "num_return": 4, "max_length": 12}
    together = search(model, batch=64, **arguments)
    one = compiled(
        lambda state: beam_search(
            model.step,
            state,
            batch_size=1,
            start_token=START,
            end_token=END,
            pad_token=PAD,
            **arguments,
        )
    )
    assert len(set(together[2][:, 0].tolist())) > 5
    for row in range(0, 64, 7):
        alone = as_numpy(one(model.initial_state(slice(row, row + 1))))
        for left, right in zip(alone, together, strict=True):
            np.testing.assert_allclose(left[0], right[row], atol=1e-4)
    for row in range(64):
        expected, margin = plain_beam_search(lambda y, s=row: model.log_probs(s, y), **arguments)
        if margin > 1e-4:
            check_sample([part[row] for part in together], expected, 12)


@pytest.mark.parametrize("jit_compile", [False, True] if BACKEND == "tensorflow" else [False])
def test_compiled_equals_eager_and_temperatures_trace_once(rng, jit_compile):
    model = RandomModel(rng, batch=6, vocabulary=9, max_length=8)
    traces = []

    def run(state, temperature, length_penalty):
        traces.append(temperature)
        return beam_search(
            model.step,
            state,
            batch_size=6,
            beam_size=3,
            num_return=3,
            max_length=8,
            start_token=START,
            end_token=END,
            temperature=temperature,
            length_penalty=length_penalty,
        )

    graph = compiled(run, jit_compile=jit_compile)
    results, eager_calls = [], 0
    for temperature, length_penalty in [(0.7, 0.0), (1.6, 1.2)]:
        expected = as_numpy(run(model.initial_state(), temperature, length_penalty))
        eager_calls += 1
        results.append(as_numpy(graph(model.initial_state(), temperature, length_penalty)))
        for left, right in zip(results[-1], expected, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)
    assert not np.array_equal(results[0][1], results[1][1])
    graph_calls = 2 if BACKEND == "torch" else 1
    assert len(traces) == eager_calls + graph_calls


@pytest.mark.parametrize("min_length", [0, 5])
def test_one_beam_without_penalty_equals_greedy_search(rng, min_length):
    model = RandomModel(rng, batch=30, vocabulary=10, max_length=9, end_bias=1.0)
    common = {
        "batch_size": 30,
        "max_length": 9,
        "start_token": START,
        "end_token": END,
        "min_length": min_length,
        "forbidden_tokens": (4,),
    }
    one = as_numpy(
        beam_search(model.step, model.initial_state(), beam_size=1, length_penalty=0, **common)
    )
    greedy = as_numpy(greedy_search(model.step, model.initial_state(), **common))
    assert len(set(greedy[2].tolist())) > 1
    for left, right in zip(one, greedy, strict=True):
        np.testing.assert_allclose(left[:, 0], right, rtol=1e-6)


def constant_step(log_odds):
    row = np.asarray([log_odds], "float32")

    def step(tokens, state, index):
        return ops.broadcast_to(ops.convert_to_tensor(row), (tokens.shape[0], row.shape[1])), state

    return step


def constant_search(log_odds, **changes):
    arguments = {
        "batch_size": 1,
        "beam_size": 2,
        "max_length": 5,
        "start_token": START,
        "end_token": END,
        "pad_token": PAD,
    } | changes
    initial_state = arguments.pop("initial_state", ())
    step = arguments.pop("step", constant_step(log_odds))
    return as_numpy(beam_search(step, initial_state, **arguments))


def test_end_token_at_the_first_step():
    tokens, scores, lengths = constant_search([0.0, 9.0, 0.0])
    assert tokens[0, 0].tolist() == [END, PAD, PAD, PAD, PAD]
    assert scores[0, 0] == pytest.approx(9 - np.log(np.exp(9) + 2), abs=1e-6)  # ((5 + 1) / 6)^a = 1
    assert lengths[0, 0] == 1


def test_end_token_never_reached():
    tokens, scores, lengths = constant_search([0.0, -np.inf, 1.0], num_return=2)
    assert tokens[0, 0].tolist() == [2, 2, 2, 2, 2]
    assert sorted(tokens[0, 1].tolist()) == [0, 2, 2, 2, 2]
    log_probs = np.array([0.0, 1.0]) - np.log(1 + np.e)
    expected = penalized(np.array([5 * log_probs[1], 4 * log_probs[1] + log_probs[0]]), 5, 0.6)
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)
    assert lengths[0].tolist() == [5, 5]


def test_places_without_a_hypothesis_are_empty():
    # Only 2 followed by 1 is possible.
    table = np.full((3, 3), -np.inf, "float32")
    table[0, 2] = table[2, 1] = 0.0

    def step(tokens, state, index):
        return ops.take(ops.convert_to_tensor(table), tokens, axis=0), state

    tokens, scores, lengths = constant_search(
        None, step=step, beam_size=5, num_return=3, max_length=4
    )
    assert tokens[0].tolist() == [[2, 1, PAD, PAD]] + [[PAD] * 4] * 2
    assert scores[0].tolist() == [0.0, -np.inf, -np.inf]
    assert lengths[0].tolist() == [2, 0, 0]


def test_a_dead_end_returns_nothing():
    found = constant_search([-np.inf] * 3, num_return=2)
    assert found[1].tolist() == [[-np.inf] * 2]
    assert found[2].tolist() == [[0, 0]]


def test_unfinished_hypotheses_compete_only_with_that_option():
    # Ending costs log 10, continuing almost nothing, so repetition is the most likely.
    odds = np.log([1e-6, 0.1, 0.9])
    fallback = constant_search(odds, max_length=3, num_return=2)
    assert fallback[0][0].tolist() == [[2, 2, END], [2, END, PAD]]
    compete = constant_search(odds, max_length=3, num_return=2, unfinished="compete")
    assert compete[0][0, 0].tolist() == [2, 2, 2]
    assert compete[0][0, 1].tolist() == [2, 2, END]


def test_the_bound_ends_a_sample_and_later_steps_are_ignored():
    # p(end) = 0.9 at the start: no beam can beat it after two steps, or the second after three.
    odds = np.log([0.05, 0.9, 0.05]).astype("float32")

    def calls_and_result(poisoned_from, **changes):
        calls = []

        def step(tokens, state, index):
            calls.append(index)
            # NaN from data, because XLA on the CPU folds exp of a literal NaN into a number.
            return ops.where(index >= poisoned_from, state, ops.convert_to_tensor(odds)), state

        poison = np.full((1, 3), np.nan, "float32")
        found = constant_search(None, step=step, initial_state=poison, max_length=40, **changes)
        return len(calls), found

    calls, found = calls_and_result(1, length_penalty=0.0)
    assert calls == 1
    assert found[2].tolist() == [[1]]
    # With a penalty a prefix at log 0.05 can still shrink to log 0.05 / (45 / 6)^0.6.
    bound = penalized(np.log(0.05), 40, 0.6)
    assert bound < np.log(0.9)
    calls, _ = calls_and_result(1, length_penalty=0.6)
    assert calls == 1
    # With exponent 2 it cannot, so the search continues and reaches the NaN.
    assert penalized(np.log(0.05), 40, 2.0) > np.log(0.9)
    with pytest.raises(InputError, match="Received: NaN"):
        calls_and_result(1, length_penalty=2.0)
    # The second of two hypotheses is found at the second step, where "first" stops.
    calls, found = calls_and_result(2, length_penalty=2.0, stop="first", num_return=2)
    assert calls <= 2
    assert found[2].tolist() == [[1, 2]]


def test_a_finished_sample_does_not_change_while_others_continue():
    class Rising:
        """A scorer whose bound always promises better later hypotheses."""

        def score(self, log_probs, length, state):
            return log_probs * 0.0 + ops.cast(length, "float32")

        def bound(self, log_probs, max_length, state):
            return ops.where(state["stop"], -1e9, 1e9)

    def step(tokens, state, index):
        return state["logits"], state

    logits = np.log([[0.3, 0.4, 0.3]] * 2).astype("float32")
    found = as_numpy(
        beam_search(
            step,
            {"stop": np.array([True, False]), "logits": logits},
            batch_size=2,
            beam_size=2,
            max_length=6,
            start_token=START,
            end_token=END,
            scorer=Rising(),
        )
    )
    # With 0.3 each, the end token stays among the best two until the end.
    assert found[1].tolist() == [[1.0], [6.0]]
    assert found[2].tolist() == [[1], [6]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_logits_are_scored_in_float32(dtype):
    def step(tokens, state, index):
        row = ops.cast(ops.array([[8.0, -np.inf, 8.0, 4.0]]), dtype)
        return ops.broadcast_to(row, (tokens.shape[0], 4)), state

    _, scores, _ = constant_search(None, step=step, max_length=60, length_penalty=0.0)
    expected = 60 * (8 - np.log(2 * np.exp(8) + np.exp(4)))
    assert scores[0, 0] == pytest.approx(expected, rel=1e-5)


def test_beams_differ_even_if_all_tokens_are_equally_likely():
    tokens, scores, _ = constant_search(
        [0.0, 0.0, 0.0, 0.0],
        beam_size=6,
        num_return=6,
        max_length=3,
        min_length=3,
        unfinished="compete",
    )
    assert len({tuple(row) for row in tokens[0].tolist()}) == 6
    assert len(set(scores[0].tolist())) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beam_size": 0}, "Expected beam_size to be an integer ≥ 1. Received: 0"),
        ({"beam_size": 2.0}, "Expected beam_size"),
        (
            {"length_penalty": -0.1},
            "Expected length_penalty to be a finite number of at least 0. Received",
        ),
        ({"length_penalty": float("nan")}, "Expected length_penalty"),
        ({"length_penalty": "0.6x"}, "Expected length_penalty"),
        ({"temperature": 0.0}, "Expected temperature to be a finite number above 0. Received: 0.0"),
        ({"temperature": -1}, "Expected temperature"),
        ({"temperature": float("inf")}, "Expected temperature"),
        ({"num_return": 3}, "Expected num_return ≤ beam_size=2. Received: num_return=3"),
        ({"num_return": 0}, "Expected num_return"),
        ({"stop": "never"}, "Expected stop to be one of bound, first. Received: 'never'"),
        ({"unfinished": "keep"}, "Expected unfinished to be one of"),
        ({"initial_state": np.zeros((2, 4))}, r"batch_size=1. Received: shape \(2, 4\)"),
        ({"step": lambda t, s, i: (ops.zeros((2, 3)), 0)}, "Expected step to return a state"),
    ],
)
def test_wrong_arguments_raise_input_errors(change, message):
    with pytest.raises(InputError, match=message):
        constant_search([0.0, 0.0, 0.0], **change)


def test_nan_raises_in_eager_mode():
    with pytest.raises(InputError, match=r"NaN or \+inf for samples \[0\]"):
        constant_search([0.0, np.nan, 0.0])


def test_length_penalty_by_hand():
    # ((5 + 7) / 6)^1 = 2; a bound is the score at max_length.
    log_probs = ops.convert_to_tensor(np.array([-3.0, -8.0], "float32"))
    penalty = LengthPenalty(1.0)
    assert ops.convert_to_numpy(penalty.score(log_probs, 7)).tolist() == [-1.5, -4.0]
    assert ops.convert_to_numpy(penalty.bound(log_probs, 19)).tolist() == [-0.75, -2.0]


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_nan_scores_its_sample_nan_in_a_graph(jit_compile):
    def run(logits):
        return beam_search(
            lambda tokens, state, index: (state, state),
            logits,
            batch_size=3,
            beam_size=2,
            num_return=2,
            max_length=3,
            start_token=START,
            end_token=END,
        )

    logits = np.array([[0, 1, 2], [0, np.nan, 0], [0, 1, 2]], "float32")
    scores = as_numpy(compiled(run, jit_compile=jit_compile)(logits))[1]
    assert np.isnan(scores).tolist() == [[False] * 2, [True] * 2, [False] * 2]


@pytest.mark.tensorflow
def test_unknown_batch_sizes_in_tensorflow(rng):
    import tensorflow as tf

    model = RandomModel(rng, batch=5, vocabulary=7, max_length=6)
    arguments = {"beam_size": 3, "num_return": 2, "max_length": 6}
    spec = tf.nest.map_structure(
        lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), model.initial_state()
    )

    @tf.function(input_signature=[spec])
    def run(state):
        return beam_search(
            model.step,
            state,
            batch_size=tf.shape(state["source"])[0],
            start_token=START,
            end_token=END,
            pad_token=PAD,
            **arguments,
        )

    for rows in (slice(0, 1), slice(0, 5)):
        expected = search(model, batch=rows.stop, rows=rows, **arguments)
        for left, right in zip(as_numpy(run(model.initial_state(rows))), expected, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("temperature", [1.0, 1.4])
def test_search_agrees_with_keras_hub(rng, temperature):
    """With a fixed length and no end token or penalty, both are plain beam search."""
    import keras_hub

    length, beam_size = 7, 4
    model = RandomModel(rng, batch=5, vocabulary=11, max_length=length)
    model.source[:, END] = -1e9  # exactly 0 after the softmax

    def following(prompt, cache, index):
        tokens = ops.take(prompt, index - 1, axis=1)
        logits, cache = model.step(tokens, cache, index - 1)
        return logits, None, cache

    sampler = keras_hub.samplers.BeamSampler(
        num_beams=beam_size, return_all_beams=True, temperature=temperature
    )
    prompt = np.zeros((5, length + 1), "int32")
    theirs, log_probs = sampler(
        following, ops.convert_to_tensor(prompt), cache=model.initial_state(), index=1
    )
    tokens, scores, _ = search(
        model,
        batch=5,
        beam_size=beam_size,
        num_return=beam_size,
        max_length=length,
        length_penalty=0.0,
        temperature=temperature,
    )
    np.testing.assert_array_equal(tokens, ops.convert_to_numpy(theirs)[:, :, 1:])
    np.testing.assert_allclose(scores, ops.convert_to_numpy(log_probs), rtol=1e-5)


def test_the_reference_prunes_like_a_beam():
    """Checks the reference by hand: beam 1 misses the hypothesis that beam 2 finds."""
    table = {(): [0.0, 0.0, 0.6, 0.4], (2,): [0.4, 0.3, 0.3, 0.0], (3,): [0.0, 0.9, 0.1, 0.0]}

    def log_probs(prefix):
        with np.errstate(divide="ignore"):
            return np.log(table.get(tuple(prefix), [0.25] * 4))

    found = {
        beam: plain_beam_search(log_probs, beam_size=beam, max_length=2, length_penalty=0.0)[0]
        for beam in (1, 2)
    }
    assert found[2][0][1] == [3, END]
    assert np.exp(found[2][0][0]) == pytest.approx(0.36)
    assert found[1][0][1] == [2, 0]  # unfinished
    assert sorted(map(len, itertools.chain(found[1], found[2]))) == [2, 2]

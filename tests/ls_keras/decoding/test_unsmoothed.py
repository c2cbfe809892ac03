"""Compares p* with float64 arithmetic, and unsmoothed searches with searches of a known p*."""

import keras
import numpy as np
import pytest
from keras import ops

from gradient import gradient
from ls_base.errors import InputError
from ls_keras.decoding import (
    Unsmoothing,
    beam_search,
    compiled,
    greedy_search,
    unsmoothed_log_probs,
)
from ls_keras.losses import Neighborhood, Prior, Smoothing, Uniform, Unigram
from ls_keras.losses.smoothings import TargetDistribution

K, START, END = 7, 0, 1
COUNTS = [5, 0, 3, 1, 8, 2, 6]
SMOOTHINGS = {
    "uniform": ("uniform", np.full(K, 1 / K)),
    "exclude": (Uniform(exclude=[0, 2]), np.array([0, 1, 0, 1, 1, 1, 1]) / 5),
    "unigram": (Unigram(COUNTS, pseudo_count=0), np.array(COUNTS) / 25),
    "prior": (Prior([0.5, 0, 0, 0, 0, 0.25, 0.25]), np.array([0.5, 0, 0, 0, 0, 0.25, 0.25])),
}
# Raised by PyTorch's conversion to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def unsmoothed(logits, *arguments):
    return ops.convert_to_numpy(unsmoothed_log_probs(logits, *arguments))


def by_hand(logits, alpha, q):
    """The definition with probabilities in float64."""
    p = np.exp(np.float64(logits) - np.float64(logits).max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    rest = np.maximum(p - alpha * q, 0)
    return rest / rest.sum(-1, keepdims=True)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("name", SMOOTHINGS)
def test_a_known_distribution_is_recovered(rng, name, alpha):
    smoothing, q = SMOOTHINGS[name]
    known = rng.dirichlet(np.full(K, 0.7), size=(20, 3))
    logits = np.log((1 - alpha) * known + alpha * q) + rng.normal(size=(20, 3, 1))
    found = unsmoothed(logits.astype("float32"), alpha, smoothing)
    np.testing.assert_allclose(np.exp(found), known, atol=3e-6)
    likely = known > 1e-2
    np.testing.assert_allclose(found[likely], np.log(known[likely]), atol=1e-4)


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_classes_below_alpha_q_get_probability_zero(rng, name):
    smoothing, q = SMOOTHINGS[name]
    logits = rng.normal(0, 2.5, size=(50, K)).astype("float32")
    expected = by_hand(logits, 0.3, q)
    found = unsmoothed(logits, 0.3, smoothing)
    np.testing.assert_array_equal(found == -np.inf, expected == 0)
    np.testing.assert_allclose(np.exp(found), expected, atol=1e-6)
    assert (expected == 0).any()


def test_an_example_by_hand():
    found = unsmoothed(np.log([[0.5, 0.45, 0.03, 0.02]]), 0.2)  # αq = 0.05
    np.testing.assert_allclose(np.exp(found), [[0.45 / 0.85, 0.4 / 0.85, 0, 0]], rtol=1e-5)


def test_underflowing_probabilities_keep_their_logarithms():
    """A class with q = 0 keeps its probability, even e^−150."""
    found = unsmoothed(np.float32([[0.0, -150.0, -90.0]]), 0.1, Prior([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(found, np.float32([[0, -150, -90]]) - [0, *[np.log(0.9)] * 2])


@pytest.mark.parametrize("excess", [1e-1, 1e-3, 1e-5])
def test_small_excess_over_alpha_q_is_accurate(excess):
    """p = αq (1 + excess): float32 only loses the digits that cancel."""
    taken = 0.5 * 0.25
    p = np.array([1 - taken * (1 + excess) - 0.02, taken * (1 + excess), 0.01, 0.01])
    expected = np.log(taken * excess) - np.log(p[0] - taken + taken * excess)
    assert unsmoothed(np.log(p).astype("float32"), 0.5)[1] == pytest.approx(expected, abs=0.05)
    if keras.config.backend() != "jax":  # JAX has no float64 here
        assert unsmoothed(np.log(p), 0.5)[1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_logits_are_computed_in_float32(rng, dtype):
    logits = ops.cast(rng.normal(0, 2, size=(9, K)).astype("float32"), dtype)
    found = unsmoothed_log_probs(logits, 0.2)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    wide = ops.convert_to_numpy(ops.cast(logits, "float32"))
    expected = by_hand(wide, 0.2, np.full(K, 1 / K))
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(found)), expected, atol=1e-6)


def test_impossible_tokens_and_nan_are_kept():
    no = -np.inf
    rows = [[1.0, no, 0.0], [no, no, no], [0.0, np.nan, 0.0], [0.0, np.inf, no]]
    found = unsmoothed(np.float32(rows), 0.1)
    expected = by_hand(np.float32(rows[:1]), 0.1, np.full(3, 1 / 3))
    np.testing.assert_allclose(np.exp(found[:1]), expected, atol=1e-6)
    assert (found[1] == no).all()
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("alpha", [0.99, 1 - 1e-6, 1 - 1e-12])
def test_rounding_never_removes_all_classes(rng, alpha):
    """A model that predicts q has p* = q; if rounding hides it, the result is p."""
    q = rng.dirichlet(np.ones(K), size=40)
    for row in q:
        found = np.exp(unsmoothed(np.log(row).astype("float32"), alpha, Prior(row)))
        assert found.sum() == pytest.approx(1, abs=1e-5)
        if alpha == 0.99:
            np.testing.assert_allclose(found, row, atol=2e-4)


def test_gradients_equal_finite_differences(rng):
    logits = rng.normal(0, 1.5, size=(6, K)).astype("float32")
    logits[0, 3] = -np.inf
    weights = rng.normal(size=(6, K)).astype("float32")

    def loss(z):
        found = unsmoothed_log_probs(z, 0.3)
        kept = ops.where(found > float("-inf"), found, 0.0)
        return ops.sum(kept * ops.convert_to_tensor(weights))

    def reference(z):
        p_star = by_hand(z, 0.3, np.full(K, 1 / K))
        kept = p_star > 0
        return (np.log(np.where(kept, p_star, 1)) * weights * kept).sum()

    found = ops.convert_to_numpy(gradient(loss, logits))
    for place in [(0, 0), (1, 2), (3, 6), (5, 1)]:
        step = np.zeros((6, K))
        step[place] = 1e-6
        slope = (reference(logits + step) - reference(logits - step)) / 2e-6
        assert found[place] == pytest.approx(slope, rel=1e-2, abs=1e-3)
    assert np.isfinite(found).all()


class OfLabels(Smoothing):
    """A custom smoothing that depends on the position."""

    def distribution(self, labels, valid, num_classes):
        return TargetDistribution(None, np.zeros((1, 1)), np.ones((1, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0,), "Expected alpha below 1: with 1, targets do not depend on labels. Received: 1"),
        ((-0.1,), "Expected alpha to be a finite number .* Received: -0.1"),
        ((1.5,), "Expected alpha to be a finite number .* Received: 1.5"),
        ((float("nan"),), "Expected alpha to be a finite number .* Received: nan"),
        (("0.1",), "Expected alpha to be a finite number"),
        ((0.1, "neighborhood"), r"q is the same at every position.* Received: Neighborhood\("),
        ((0.1, Neighborhood((1,))), "q is the same at every position"),
        ((0.1, OfLabels()), r"q is the same at every position.* Received: OfLabels\("),
        ((0.1, "bigram"), "Expected smoothing to be 'uniform'"),
        ((0.1, Unigram([1, 2])), "as many counts as the predictions have classes, 3. Received: 2"),
    ],
)
def test_unsupported_smoothings_raise_input_errors(arguments, message):
    with pytest.raises(InputError, match=message):
        unsmoothed_log_probs(np.zeros((2, 3), "float32"), *arguments)


def test_logits_need_a_class_axis():
    with pytest.raises(InputError, match=r"Expected logits of shape \(..., K\)"):
        unsmoothed_log_probs(1.0, 0.1)


def test_unsmoothings_compare_by_value():
    assert Unsmoothing(0.1) == Unsmoothing(0.1, Uniform())
    assert hash(Unsmoothing(0.1)) == hash(Unsmoothing(0.1, Uniform()))
    assert Unsmoothing(0.1) != Unsmoothing(0.2)
    assert Unsmoothing(0.1) != Unsmoothing(0.1, Uniform(exclude=[0]))


# A model whose p* depends on all previous tokens, and its smoothed version.


class Known:
    """The state is a running sum of vectors; p* is sharp, so smoothing changes the hypotheses."""

    def __init__(self, rng, alpha, q):
        self.weights = ops.convert_to_tensor((1.5 * rng.normal(size=(K, K))).astype("float32"))
        self.alpha, self.q = alpha, ops.convert_to_tensor(q.astype("float32"))

    def step(self, tokens, state, index):
        seen = -0.5 * state + ops.take(self.weights, tokens, axis=0)
        return 2.0 * seen, seen

    def smoothed_step(self, tokens, state, index):
        logits, state = self.step(tokens, state, index)
        mixed = (1 - self.alpha) * ops.softmax(logits, axis=-1) + self.alpha * self.q
        return ops.log(mixed) + 3.0, state


def searched(search, step, states, **arguments):
    def run(states):
        return search(
            step,
            states,
            batch_size=states.shape[0],
            max_length=9,
            start_token=START,
            end_token=END,
            **arguments,
        )

    run = compiled(run) if arguments.pop("mode") == "compiled" else run
    return [ops.convert_to_numpy(part) for part in run(states.astype("float32"))]


@pytest.mark.parametrize(
    ("search", "name", "mode", "more"),
    [
        (greedy_search, "uniform", "compiled", {}),
        (greedy_search, "unigram", "eager", {"min_length": 4, "forbidden_tokens": (3,)}),
        (beam_search, "uniform", "compiled", {"beam_size": 4, "num_return": 3}),
        (beam_search, "exclude", "compiled", {"temperature": 0.6, "forbidden_tokens": (2, 4)}),
        (beam_search, "unigram", "compiled", {"temperature": 1.7, "length_penalty": 0.0}),
        (beam_search, "prior", "eager", {"beam_size": 3}),
    ],
)
def test_unsmoothed_search_equals_search_of_the_known_distribution(rng, search, name, mode, more):
    smoothing, q = SMOOTHINGS[name]
    model, states = Known(rng, 0.3, q), rng.normal(size=(12, K))
    unsmooth = Unsmoothing(0.3, smoothing)
    more = {**more, "mode": mode}
    expected = searched(search, model.step, states, **more)
    found = searched(search, model.smoothed_step, states, unsmooth=unsmooth, **more)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-3, atol=2e-3)
    np.testing.assert_array_equal(found[2], expected[2])
    smoothed = searched(search, model.smoothed_step, states, **more)
    best = [scores.reshape(12, -1)[:, 0] for _, scores, _ in (smoothed, expected)]
    assert np.abs(best[0] - best[1]).max() > 0.1, "undoing nothing must not do"


def test_smoothing_shortens_hypotheses_and_unsmoothing_does_not():
    """By hand: .7 × .95⁸ = .46 for nine tokens and the end, .3 for one and the end."""
    table = np.zeros((12, 12))
    table[0, [2, 11]] = 0.7, 0.3
    for token in range(2, 10):
        table[token, [token + 1, 11]] = 0.95, 0.05
    table[[1, 10, 11], END] = 1
    smoothed = ops.convert_to_tensor(np.log(0.9 * table + 0.1 / 12).astype("float32"))

    def step(tokens, state, index):
        return ops.take(smoothed, tokens, axis=0), state

    def find(**arguments):
        found = beam_search(
            step,
            (),
            batch_size=1,
            beam_size=3,
            max_length=12,
            start_token=START,
            end_token=END,
            length_penalty=0.0,
            **arguments,
        )
        return int(found.lengths[0, 0]), float(ops.exp(found.scores[0, 0]))

    assert find(unsmooth=Unsmoothing(0.1)) == (10, pytest.approx(0.7 * 0.95**8, rel=1e-4))
    first, last = 0.27 + 0.1 / 12, 0.9 + 0.1 / 12
    assert find() == (2, pytest.approx(first * last, rel=1e-4))


def test_alpha_zero_equals_the_plain_search(rng):
    model, states = Known(rng, 0.3, np.full(K, 1 / K)), rng.normal(size=(5, K))
    plain = searched(greedy_search, model.step, states, mode="eager")
    found = searched(greedy_search, model.step, states, mode="eager", unsmooth=Unsmoothing(0.0))
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nan_raises_with_unsmooth():
    def step(tokens, state, index):
        return ops.array([[0.0, float("nan"), 0.0], [0.0, 9.0, 0.0]]), state

    arguments = {"batch_size": 2, "max_length": 2, "start_token": START, "end_token": END}
    for search in (greedy_search, beam_search):
        options = {"beam_size": 1} if search is beam_search else {}
        with pytest.raises(InputError, match=r"NaN or \+inf for samples \[0\]"):
            search(step, (), **arguments, **options, unsmooth=Unsmoothing(0.1))

"""The model is a Markov chain: the logits after a token are a row of a matrix plus a bias."""

import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from ls_base.errors import InputError, LsKerasError
from ls_keras.decoding import LengthPenalty, Unsmoothing, beam_search, compiled
from ls_keras.decoding.model_search import ModelSearch, padded_batches, padded_size

K, PAD, START, END = 7, 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Config:
    beam_size: int = 3
    length_penalty: float = 0.6
    batch_size: int = 4
    temperature: float = 1.0


def config(**changes):
    return Config(**changes)


def chain(seed=0):
    tokens = keras.Input((), dtype="int32")
    rows = keras.layers.Embedding(K, K, name="rows")(tokens)
    model = keras.Model(tokens, keras.layers.Dense(K, name="logits")(rows))
    rng = np.random.default_rng(seed)
    shapes = [w.shape for w in model.get_weights()]
    model.set_weights([rng.normal(0, 1.5, s).astype(np.float32) for s in shapes])
    return model


class Chain(ModelSearch):
    """The number of a sample shifts the rows; the length of the input bounds the output."""

    shortest = 4
    pad_token, start_token, end_token = PAD, START, END

    def __init__(self, model, options, **kwargs):
        super().__init__(model, options, **kwargs)
        self.rows = model.get_layer("rows")

    def begin(self, numbers):
        return {"shift": ops.cast(numbers[:, 0], "float32")}, numbers.shape[1] + 2

    def step(self, tokens, state, index):
        return self.rows(tokens) * (1 + state["shift"][:, None] / 10), state


def numbers(rows, size):
    return (np.tile(np.asarray(rows, np.int32)[:, None], (1, size)),)


def ignore_progress(done, total):
    pass


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_search_equals_beam_search_with_its_step(temperature):
    model = chain()
    search = Chain(model, Config(), num_return=3)
    found = search.search(*numbers([0, 1, 5], 4), temperature=temperature)

    def step(tokens, state, index):
        rows = model.get_layer("rows")(tokens) * (1 + state[:, None] / 10)
        return model.get_layer("logits")(rows), state

    expected = beam_search(
        step,
        ops.convert_to_tensor(np.float32([0, 1, 5])),
        batch_size=3,
        beam_size=3,
        num_return=3,
        max_length=6,
        start_token=START,
        end_token=END,
        temperature=temperature,
        forbidden_tokens=(PAD, START),
    )
    tokens, scores, lengths = (ops.convert_to_numpy(x) for x in expected)
    for i, hypotheses in enumerate(found):
        assert [one.score for one in hypotheses] == pytest.approx(scores[i].tolist(), rel=1e-5)
        for j, (ids, _, _) in enumerate(hypotheses):
            wanted = tokens[i, j, : lengths[i, j]]
            np.testing.assert_array_equal(ids, wanted[wanted != END])
            assert not {PAD, START, END} & set(ids.tolist())


def test_results_do_not_depend_on_batches_and_order():
    model = chain(1)
    sizes = [3, 9, 4, 6, 2, 9, 5, 1, 4]
    seen = []
    alone = Chain(model, Config(batch_size=1)).search_all(
        sizes, numbers, lambda *at: seen.append(at)
    )
    assert seen[-1] == (9, 9)
    together = Chain(model, Config(batch_size=64)).search_all(sizes, numbers, ignore_progress)
    backward = Chain(model, Config(batch_size=2)).search_all(
        sizes[::-1], lambda rows, size: numbers(8 - rows, size), ignore_progress
    )
    for other in (together, backward[::-1]):
        for first, second in zip(alone, other, strict=True):
            np.testing.assert_array_equal(first[0][0], second[0][0])
            assert first[0][1] == pytest.approx(second[0][1], rel=1e-5)


def test_a_compiler_receives_several_batches_at_once():
    shapes = []

    def in_halves(function, *, variables, jit_compile):
        program = compiled(function, variables=variables, jit_compile=jit_compile)

        def call(numbers, temperature):
            shapes.append(numbers.shape)
            parts = [program(half, temperature) for half in np.split(numbers, 2)]
            return [
                np.concatenate([ops.convert_to_numpy(x) for x in of])
                for of in zip(*parts, strict=True)
            ]

        return call

    model, sizes = chain(1), [3, 9, 4, 6, 2, 9, 5, 1, 4]
    alone = Chain(model, Config(batch_size=2)).search_all(sizes, numbers, ignore_progress)
    halves = Chain(model, Config(batch_size=2), compiler=in_halves, at_once=2)
    found = halves.search_all(sizes, numbers, ignore_progress)
    assert {rows for rows, _ in shapes} == {4}
    for first, second in zip(alone, found, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == second[0][1]


def test_a_model_has_one_search_for_all_temperatures():
    model = chain()
    search = Chain.for_model(model, config())
    assert Chain.for_model(model, config(temperature=2.0)) is search
    assert Chain.for_model(model, config(), num_return=2) is not search
    assert Chain.for_model(model, config(beam_size=2)).config.beam_size == 2
    assert Chain.for_model(chain(), config()) is not Chain.for_model(model, config())


def test_calibration_layers_are_applied():
    model = chain()
    scale = keras.layers.Rescaling(0.4, name="calibrated_logits")
    scaled = keras.Model(model.input, scale(model.output))
    inside = Chain(scaled, Config()).search(*numbers([3, 4], 4))
    outside = Chain(model, Config()).search(*numbers([3, 4], 4), temperature=2.5)
    for first, second in zip(inside, outside, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == pytest.approx(second[0][1], rel=1e-5)


class SmoothedChain(Chain):
    """The chain as a perfect fit to uniformly smoothed targets predicts it."""

    alpha = 0.2

    def _logits_after(self, tokens, state, index):
        logits, state = super()._logits_after(tokens, state, index)
        return ops.log((1 - self.alpha) * ops.softmax(logits) + self.alpha / K), state


def test_unsmooth_finds_the_hypotheses_of_the_unsmoothed_chain():
    model, inputs = chain(), numbers([0, 1, 5], 4)
    wanted = Chain(model, Config(), num_return=2).search(*inputs, temperature=1.3)
    undone = SmoothedChain(model, Config(), num_return=2, unsmooth=Unsmoothing(0.2))
    found = undone.search(*inputs, temperature=1.3)
    for first, second in zip(found, wanted, strict=True):
        for (ids, score, _), (expected, expected_score, _) in zip(first, second, strict=True):
            np.testing.assert_array_equal(ids, expected)
            assert score == pytest.approx(expected_score, rel=1e-3)
    plain = SmoothedChain(model, Config(), num_return=2).search(*inputs, temperature=1.3)
    assert plain[0][0][1] != pytest.approx(wanted[0][0][1], rel=1e-2)


def test_a_model_has_another_search_for_each_unsmoothing():
    model = chain()
    search = Chain.for_model(model, config(), unsmooth=Unsmoothing(0.1))
    assert Chain.for_model(model, config(temperature=2.0), unsmooth=Unsmoothing(0.1)) is search
    assert Chain.for_model(model, config()).unsmooth is None
    assert Chain.for_model(model, config(), unsmooth=Unsmoothing(0.2)).unsmooth == Unsmoothing(0.2)
    plain = Chain.for_model(model, config())
    assert Chain.for_model(model, config(), unsmooth=Unsmoothing(0.0)) is plain


def test_unsmoothing_a_calibrated_model_raises_an_input_error():
    model = chain()
    scale = keras.layers.Rescaling(0.4, name="calibrated_logits")
    scaled = keras.Model(model.input, scale(model.output))
    with pytest.raises(InputError, match="Expected an uncalibrated model, whose smoothing"):
        Chain(scaled, Config(), unsmooth=Unsmoothing(0.1))


def test_a_scorer_replaces_the_length_penalty():
    class Long(Chain):
        def scorer(self):
            return LengthPenalty(3.0)

    model = chain()
    as_scorer = Long(model, Config()).search(*numbers([0, 2], 6))
    as_penalty = Chain(model, Config(length_penalty=3.0)).search(*numbers([0, 2], 6))
    for first, second in zip(as_scorer, as_penalty, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == pytest.approx(second[0][1], rel=1e-6)


def test_too_many_hypotheses_and_nan_raise_errors():
    with pytest.raises(InputError, match="Expected 1 to 3 hypotheses, the size of the beam. .* 4"):
        Chain(chain(), Config(), num_return=4)
    broken = chain()
    broken.set_weights([np.full_like(w, np.nan) for w in broken.get_weights()])
    with pytest.raises(LsKerasError, match="Expected .*logits.* Received: NaN"):
        Chain(broken, Config()).search(*numbers([0], 4))


@pytest.mark.parametrize(
    ("size", "padded"), [(0, 8), (8, 8), (9, 12), (12, 12), (13, 16), (17, 24), (25, 32)]
)
def test_padded_sizes_grow_by_halves(size, padded):
    assert padded_size(size, 8) == padded


@given(st.lists(st.integers(0, 200), max_size=40), st.integers(1, 9))
def test_every_example_is_in_one_batch_of_its_size(sizes, batch_size):
    batches = list(padded_batches(sizes, batch_size, shortest=8))
    seen = np.concatenate([batch.rows for batch in batches]) if batches else np.array([])
    assert sorted(seen.tolist()) == list(range(len(sizes)))
    for size, rows, filled in batches:
        assert {padded_size(sizes[row], 8) for row in rows} == {size}
        assert len(filled) == min(batch_size, len(sizes))
        assert filled[: len(rows)].tolist() == rows.tolist()
        assert set(filled[len(rows) :].tolist()) <= {rows[0]}


@given(st.lists(st.integers(0, 200), max_size=40), st.integers(1, 200))
def test_batches_respect_most_positions(sizes, most):
    batches = list(padded_batches(sizes, 9, shortest=8, most_positions=most))
    seen = np.concatenate([batch.rows for batch in batches]) if batches else np.array([])
    assert sorted(seen.tolist()) == list(range(len(sizes)))
    for size, _, filled in batches:
        assert len(filled) == 1 or len(filled) * size <= most
        assert len(filled) == min(9, len(sizes), max(1, most // size))


@pytest.mark.parametrize("most_positions", [None, 24])
def test_joined_batches_equal_single_batches(most_positions):
    sizes = np.random.default_rng(0).integers(1, 20, 23)
    options = {"shortest": 4, "most_positions": most_positions}
    alone = list(padded_batches(sizes, 3, **options))
    left = iter(alone)
    for size, rows, filled in padded_batches(sizes, 3, at_once=2, **options):
        parts = [next(left) for _ in range(-(-len(rows) // (len(filled) // 2)))]
        assert {one.size for one in parts} == {size}
        np.testing.assert_array_equal(rows, np.concatenate([one.rows for one in parts]))
        assert {len(one.filled) for one in parts} == {len(filled) // 2}
    assert next(left, None) is None

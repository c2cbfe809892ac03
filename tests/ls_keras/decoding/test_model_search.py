"""A Markov chain as the trained model: a token's logits are a row of a matrix, plus a bias."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError, LsKerasError
from ls_keras.decoding import LengthPenalty, Unsmoothing, beam_search, compiled
from ls_keras.decoding.model_search import ModelSearch

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
    """A sample's number shifts the rows, so that samples differ; its length bounds the output."""

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


def nobody(done, total):
    pass


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_it_is_the_beam_search_of_its_step(temperature):
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


def test_batches_order_and_neighbors_make_no_difference():
    model = chain(1)
    sizes = [3, 9, 4, 6, 2, 9, 5, 1, 4]
    seen = []
    alone = Chain(model, Config(batch_size=1)).search_all(
        sizes, numbers, lambda *at: seen.append(at)
    )
    assert seen[-1] == (9, 9)
    together = Chain(model, Config(batch_size=64)).search_all(sizes, numbers, nobody)
    backward = Chain(model, Config(batch_size=2)).search_all(
        sizes[::-1], lambda rows, size: numbers(8 - rows, size), nobody
    )
    for other in (together, backward[::-1]):
        for first, second in zip(alone, other, strict=True):
            np.testing.assert_array_equal(first[0][0], second[0][0])
            assert first[0][1] == pytest.approx(second[0][1], rel=1e-5)


def test_a_compiler_is_given_several_batches_at_once():
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
    alone = Chain(model, Config(batch_size=2)).search_all(sizes, numbers, nobody)
    halves = Chain(model, Config(batch_size=2), compiler=in_halves, at_once=2)
    found = halves.search_all(sizes, numbers, nobody)
    assert {rows for rows, _ in shapes} == {4}
    for first, second in zip(alone, found, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == second[0][1]


def test_there_is_one_for_a_model_whatever_the_temperature():
    model = chain()
    search = Chain.of(model, config())
    assert Chain.of(model, config(temperature=2.0)) is search
    assert Chain.of(model, config(), num_return=2) is not search
    assert Chain.of(model, config(beam_size=2)).config.beam_size == 2
    assert Chain.of(chain(), config()) is not Chain.of(model, config())


def test_what_scales_the_logits_is_searched_with():
    model = chain()
    scale = keras.layers.Rescaling(0.4, name="calibrated_logits")
    scaled = keras.Model(model.input, scale(model.output))
    inside = Chain(scaled, Config()).search(*numbers([3, 4], 4))
    outside = Chain(model, Config()).search(*numbers([3, 4], 4), temperature=2.5)
    for first, second in zip(inside, outside, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == pytest.approx(second[0][1], rel=1e-5)


class SmoothedChain(Chain):
    """The chain as training with α and a uniform q would leave it, were it fitted perfectly."""

    alpha = 0.2

    def _logits_after(self, tokens, state, index):
        logits, state = super()._logits_after(tokens, state, index)
        return ops.log((1 - self.alpha) * ops.softmax(logits) + self.alpha / K), state


def test_undoing_smoothing_searches_what_was_smoothed():
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


def test_there_is_one_for_each_smoothing_undone():
    model = chain()
    search = Chain.of(model, config(), unsmooth=Unsmoothing(0.1))
    assert Chain.of(model, config(temperature=2.0), unsmooth=Unsmoothing(0.1)) is search
    assert Chain.of(model, config()).unsmooth is None
    assert Chain.of(model, config(), unsmooth=Unsmoothing(0.2)).unsmooth == Unsmoothing(0.2)
    plain = Chain.of(model, config())
    assert Chain.of(model, config(), unsmooth=Unsmoothing(0.0)) is plain


def test_smoothing_is_not_undone_behind_a_calibration():
    model = chain()
    scale = keras.layers.Rescaling(0.4, name="calibrated_logits")
    scaled = keras.Model(model.input, scale(model.output))
    with pytest.raises(InputError, match="Expected a model as it was trained, whose smoothing"):
        Chain(scaled, Config(), unsmooth=Unsmoothing(0.1))


def test_a_scorer_takes_the_place_of_the_penalty():
    class Long(Chain):
        def scorer(self):
            return LengthPenalty(3.0)

    model = chain()
    as_scorer = Long(model, Config()).search(*numbers([0, 2], 6))
    as_penalty = Chain(model, Config(length_penalty=3.0)).search(*numbers([0, 2], 6))
    for first, second in zip(as_scorer, as_penalty, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == pytest.approx(second[0][1], rel=1e-6)


def test_what_cannot_be_searched_is_told():
    with pytest.raises(InputError, match="Expected 1 to 3 hypotheses, the size of the beam. .* 4"):
        Chain(chain(), Config(), num_return=4)
    broken = chain()
    broken.set_weights([np.full_like(w, np.nan) for w in broken.get_weights()])
    with pytest.raises(LsKerasError, match="Expected .*logits.* Received: NaN"):
        Chain(broken, Config()).search(*numbers([0], 4))

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_speech.network.attention import LocationAttention, guided_penalty, masked_softmax


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture
def utterances(rng):
    """Three of 7 frames at most: encoded, lengths, queries, weights so far."""
    length = np.array([7, 4, 1], np.int32)
    encoded = rng.normal(size=(3, 7, 5)).astype(np.float32)
    cumulative = rng.uniform(size=(3, 7)).astype(np.float32)
    cumulative *= np.arange(7) < length[:, None]
    return encoded, length, rng.normal(size=(3, 6)).astype(np.float32), cumulative


def attended(layer, encoded, length, query, cumulative):
    if not layer.built:
        layer.build(query.shape, encoded.shape)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return tuple(map(numpy, layer(query, layer.memory(encoded, length), cumulative)))


@pytest.mark.parametrize("kind", ["location", "content"])
def test_weights_are_those_of_the_formula(utterances, kind):
    encoded, length, query, cumulative = utterances
    layer = LocationAttention(8, filters=2, kernel_size=3, kind=kind)
    context, weights = attended(layer, *utterances)
    w = {v.name: numpy(v) for v in layer.weights}
    for row, frames in enumerate(length):
        energies = []
        padded = np.pad(cumulative[row], 1)
        for i in range(frames):
            inner = query[row] @ w["query_kernel"] + encoded[row, i] @ w["key_kernel"] + w["bias"]
            if kind == "location":
                located = [
                    sum(padded[i + k] * w["convolution"][k, 0, f] for k in range(3))
                    for f in range(2)
                ]
                inner = inner + located @ w["location_kernel"]
            energies.append(float((np.tanh(inner) @ w["score"])[0]))
        expected = np.exp(energies) / np.exp(energies).sum()
        np.testing.assert_allclose(weights[row, :frames], expected, rtol=1e-4)
        np.testing.assert_allclose(context[row], expected @ encoded[row, :frames], atol=1e-5)
        assert not weights[row, frames:].any()


def test_uniform_attention_is_the_mean_of_the_valid_frames(utterances):
    encoded, length, *_ = utterances
    layer = LocationAttention(8, kind="uniform")
    context, weights = attended(layer, *utterances)
    assert layer.weights == []
    for row, frames in enumerate(length):
        np.testing.assert_allclose(weights[row, :frames], 1 / frames, rtol=1e-6)
        np.testing.assert_allclose(context[row], encoded[row, :frames].mean(0), atol=1e-6)


def test_a_softmax_of_large_energies_is_finite_and_of_none_is_zero():
    valid = np.array([[True, True, False], [False, False, False]])
    found = numpy(masked_softmax(np.array([[1e4, 1e4 - 1, 2e4]] * 2, np.float32), valid))
    np.testing.assert_allclose(found[0], [1 / (1 + np.exp(-1)), 1 / (1 + np.e), 0], rtol=1e-5)
    assert not found[1].any()


def test_the_penalty_is_that_of_the_formula(rng):
    weights = rng.dirichlet(np.ones(6), size=(2, 4)).astype(np.float32)
    tokens, frames = np.array([4, 2], np.int32), np.array([6, 3], np.int32)
    weights[1, :, 3:] = 0
    total = 0.0
    for b in range(2):
        for n in range(tokens[b]):
            for t in range(frames[b]):
                away = 1 - np.exp(-((n / tokens[b] - t / frames[b]) ** 2) / (2 * 0.3**2))
                total += weights[b, n, t] * away
    assert float(guided_penalty(weights, tokens, frames, 0.3)) == pytest.approx(total / 6, rel=1e-5)


def test_the_diagonal_costs_nothing_and_its_opposite_much():
    diagonal = np.eye(5, dtype=np.float32)[None]
    five = np.array([5], np.int32)
    assert float(guided_penalty(diagonal, five, five, 0.2)) == pytest.approx(0, abs=1e-6)
    assert float(guided_penalty(diagonal[:, ::-1], five, five, 0.2)) > 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "hard"}, "Received: 'hard'"), ({"kernel_size": 4}, "odd kernel size. Received: 4")],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(InputError, match=message):
        LocationAttention(4, **options)

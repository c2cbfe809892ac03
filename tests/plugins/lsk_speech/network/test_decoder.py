import keras
import numpy as np
import pytest

from lsk_speech.network.decoder import AttentionDecoder, attention_of

TARGET = np.array([[1, 4, 6, 5], [1, 7, 0, 0], [1, 4, 4, 0]], np.int32)
LENGTH = np.array([9, 5, 7], np.int32)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture
def encoded(rng):
    x = rng.normal(size=(3, 9, 6)).astype(np.float32)
    return x * (np.arange(9) < LENGTH[:, None])[..., None]


def build(encoded, **options):
    decoder = AttentionDecoder(8, 10, embedding_width=5, attention_width=7, **options)
    decoder(TARGET, encoded, LENGTH)
    return decoder


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("attention", ["location", "content", "uniform"])
def test_a_token_at_a_time_is_the_same_as_all_at_once(encoded, attention):
    decoder = build(encoded, attention=attention)
    at_once = numpy(decoder(TARGET, encoded, LENGTH))
    memory, state = decoder.attention.memory(encoded, LENGTH), decoder.initial_state(encoded)
    for n in range(TARGET.shape[1]):
        out, state = decoder.step(TARGET[:, n], memory, state)
        np.testing.assert_allclose(numpy(out), at_once[:, n], atol=1e-6)


def test_each_token_sees_the_last_context_and_the_weights_so_far(encoded):
    """The recurrence, written out in NumPy."""
    decoder = build(encoded)
    found = numpy(decoder(TARGET, encoded, LENGTH))
    table = numpy(decoder.embedding.embeddings)
    kernel, recurrent, bias = (numpy(w) for w in decoder.cell.weights)
    memory = decoder.attention.memory(encoded, LENGTH)
    h, c, context, cumulative = (np.zeros((3, n), np.float32) for n in (10, 10, 6, 9))
    for n in range(TARGET.shape[1]):
        z = np.concatenate([table[TARGET[:, n]], context], 1) @ kernel + h @ recurrent + bias
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        context, weights = map(numpy, decoder.attention(h, memory, cumulative))
        cumulative = cumulative + weights
        np.testing.assert_allclose(found[:, n], np.concatenate([h, context], 1), atol=1e-5)


def test_weights_of_attention_sum_to_one_over_valid_frames(encoded):
    decoder = build(encoded)
    weights = numpy(attention_of(decoder.run(TARGET, encoded, LENGTH)))
    assert weights.shape == (3, 4, 9)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    for row, frames in enumerate(LENGTH):
        assert np.abs(weights[row, :, frames:]).max(initial=0) < 1e-6


def test_the_guide_is_a_loss_in_training_only(encoded):
    decoder = build(encoded, guided_attention=2.0)
    decoder(TARGET, encoded, LENGTH)
    assert decoder.losses == []
    decoder(TARGET, encoded, LENGTH, training=True)
    (penalty,) = decoder.losses
    weights = numpy(attention_of(decoder.run(TARGET, encoded, LENGTH)))
    total = 0.0
    for b, tokens in enumerate((4, 2, 3)):
        n, t = np.arange(tokens)[:, None] / tokens, np.arange(9)[None] / LENGTH[b]
        total += (weights[b, :tokens] * (1 - np.exp(-((n - t) ** 2) / (2 * 0.2**2)))).sum()
    assert float(penalty) == pytest.approx(2 * total / 9, rel=1e-4)


def test_noise_is_drawn_anew_and_in_training_only(encoded):
    decoder = build(encoded, weight_noise=0.1, seed=3)
    quiet = [numpy(decoder(TARGET, encoded, LENGTH)) for _ in range(2)]
    noisy = [numpy(decoder(TARGET, encoded, LENGTH, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*quiet)
    assert np.abs(noisy[0] - quiet[0]).max() > 1e-3
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3


def test_half_precision_keeps_its_dtype(encoded):
    decoder = build(encoded, dtype="mixed_bfloat16")
    found = decoder(TARGET, encoded, LENGTH)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    whole = build(encoded)
    whole.set_weights(decoder.get_weights())
    np.testing.assert_allclose(
        numpy(keras.ops.cast(found, "float32")), numpy(whole(TARGET, encoded, LENGTH)), atol=0.05
    )

import keras
import numpy as np
import pytest

from lsk_speech.network.weight_noise import NoisyLSTM, noisy_weights


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def test_a_layer_reads_its_weights_with_noise_of_that_size():
    layer = keras.layers.Dense(200, kernel_initializer="zeros")
    layer.build((None, 100))
    with noisy_weights(layer, 0.5, keras.random.SeedGenerator(0)):
        found = numpy(layer(np.eye(100, dtype="float32")))
    assert found.std() == pytest.approx(0.5 * 2**0.5, rel=0.05)  # a weight and a bias each
    assert not numpy(layer.kernel).any()
    assert not numpy(layer(np.eye(100, dtype="float32"))).any()


def test_without_noise_nothing_is_drawn():
    layer, seed = keras.layers.Dense(2), keras.random.SeedGenerator(0)
    layer.build((None, 3))
    before = numpy(seed.state).copy()
    with noisy_weights(layer, 0.0, seed):
        pass
    np.testing.assert_array_equal(seed.state, before)


def test_an_lstm_without_noise_is_keras_own(rng):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    noisy = NoisyLSTM(4, return_sequences=True, weight_noise=0.2, seed=1)
    plain = keras.layers.LSTM(4, return_sequences=True)
    for layer in (noisy, plain):
        layer.build(x.shape)
    plain.set_weights([w.value for w in noisy.trainable_variables])
    np.testing.assert_allclose(numpy(noisy(x)), numpy(plain(x)), atol=1e-6)
    assert np.abs(numpy(noisy(x, training=True)) - numpy(plain(x))).max() > 1e-3


def test_training_updates_the_weights_and_the_random_state(rng):
    x = rng.normal(size=(8, 5, 3)).astype("float32")
    layer = NoisyLSTM(4, weight_noise=0.1, seed=1)
    model = keras.Sequential([keras.Input((5, 3)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    states = [numpy(layer.noise_generator.state).copy()]
    before = [numpy(w).copy() for w in layer.trainable_variables]
    for _ in range(2):
        model.train_on_batch(x, x[:, 0, :1])
        states.append(numpy(layer.noise_generator.state).copy())
    assert len({tuple(s.tolist()) for s in states}) == 3
    for old, new in zip(before, layer.trainable_variables, strict=True):
        assert 0 < np.abs(numpy(new) - old).max() < 0.1  # a step, not the noise
    assert NoisyLSTM.from_config(layer.get_config()).weight_noise == 0.1

import keras
import numpy as np
import pytest

from lsk_speech.config import ModelConfig
from lsk_speech.model import JoinPairs, ReverseUtterances, encode
from lsk_speech.network.weight_noise import NoisyLSTM

LENGTH = np.array([23, 8, 1, 16], np.int32)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def encoder(**options):
    options = {"convolution_width": 6, "encoder_width": 5, **options}
    features = keras.Input((None, 4), name="features")
    length = keras.Input((), dtype="int32", name="length")
    return keras.Model([features, length], encode(features, length, ModelConfig(**options), 0))


@pytest.fixture
def features(rng):
    x = rng.normal(size=(4, 23, 4)).astype(np.float32)
    return x * (np.arange(23) < LENGTH[:, None])[..., None]


@pytest.mark.parametrize(
    "options",
    [
        {"convolutions": 2, "encoder_layers": 2, "pyramid_layers": 1},
        {"convolutions": 0, "encoder_layers": 3, "pyramid_layers": 3},
        {"convolutions": 0, "encoder_layers": 2, "pyramid_layers": 0},
        {"convolutions": 1, "encoder_layers": 1, "pyramid_layers": 1},
    ],
)
def test_what_follows_the_end_changes_nothing(features, options):
    model = encoder(**options)
    narrow, frames = map(numpy, model([features, LENGTH]))
    halvings = options["convolutions"] + options["pyramid_layers"]
    np.testing.assert_array_equal(frames, -(-LENGTH // 2**halvings))
    assert narrow.shape[1] == frames[0]
    for more in (1, 2, 13):
        wide, _ = model([np.pad(features, ((0, 0), (0, more), (0, 0))), LENGTH])
        wide = numpy(wide)
        np.testing.assert_allclose(wide[:, : frames[0]], narrow, atol=1e-5)
        assert not wide[:, frames[0] :].any()
    for row, n in enumerate(frames):
        assert not narrow[row, n:].any()
        assert narrow[row, :n].any()
        # Alone, an utterance is what it is among others.
        alone, _ = model([features[row : row + 1, : LENGTH[row]], LENGTH[row : row + 1]])
        np.testing.assert_allclose(numpy(alone)[0, :n], narrow[row, :n], atol=1e-5)


def test_every_frame_sees_the_whole_utterance(features):
    model = encoder()
    before, _ = model([features, LENGTH])
    for frame in (0, 22):
        changed = features.copy()
        changed[0, frame] += 1
        after, _ = model([changed, LENGTH])
        moved = np.abs(numpy(after) - numpy(before)).max(-1)
        assert (moved[0] > 0).all()
        assert not moved[1:].any()


def test_each_lstm_has_noise_of_its_own():
    model = encoder(encoder_layers=3, weight_noise=0.1)
    drawn = [
        tuple(numpy(keras.random.normal((3,), seed=layer.noise_generator)).tolist())
        for layer in model.layers
        if isinstance(layer, NoisyLSTM)
    ]
    assert len(set(drawn)) == len(drawn) == 6


def test_valid_frames_are_turned_around_and_padding_is_not():
    x = np.arange(10, dtype=np.float32).reshape(2, 5, 1)
    found = numpy(ReverseUtterances()(x, np.array([5, 3], np.int32)))[..., 0]
    np.testing.assert_array_equal(found, [[4, 3, 2, 1, 0], [7, 6, 5, 8, 9]])


@pytest.mark.parametrize("frames", [4, 5])
def test_pairs_of_frames_are_joined(frames):
    x = np.arange(2 * frames, dtype=np.float32).reshape(1, frames, 2)
    found = numpy(JoinPairs()(x))
    padded = np.pad(x, ((0, 0), (0, frames % 2), (0, 0)))
    np.testing.assert_array_equal(found, padded.reshape(1, -1, 4))


@pytest.mark.peers
def test_both_directions_are_those_of_pytorch(features):
    import torch

    model = encoder(convolutions=0, encoder_layers=1, pyramid_layers=0)
    peer = torch.nn.LSTM(4, 5, bidirectional=True, batch_first=True)
    state = {}
    for direction, suffix in (("forward", ""), ("backward", "_reverse")):
        kernel, recurrent, bias = model.get_layer(f"encoder_0_{direction}").trainable_variables
        state[f"weight_ih_l0{suffix}"] = torch.tensor(numpy(kernel).T.copy())
        state[f"weight_hh_l0{suffix}"] = torch.tensor(numpy(recurrent).T.copy())
        state[f"bias_ih_l0{suffix}"] = torch.tensor(numpy(bias))
        state[f"bias_hh_l0{suffix}"] = torch.zeros(20)
    peer.load_state_dict(state)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(features), torch.tensor(LENGTH), batch_first=True, enforce_sorted=False
    )
    with torch.no_grad():
        expected, _ = torch.nn.utils.rnn.pad_packed_sequence(peer(packed)[0], batch_first=True)
    both = keras.Model(model.inputs, model.get_layer("encoder_0_both").output)
    for row, n in enumerate(LENGTH):
        found = numpy(both([features, LENGTH]))[row, :n]
        np.testing.assert_allclose(found, expected.numpy()[row, :n], atol=1e-5)

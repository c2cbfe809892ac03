import keras
import numpy as np
import pytest
import scipy.signal

from ls_base.errors import InputError
from lsk_speech.network.frontend import LogMel, UtteranceNormalization, differences, mel_filters


def some_audio(rng, samples=(1234, 801, 240)):
    """Utterances of noise with a gap, zero behind their ends."""
    audio = np.zeros((len(samples), max(samples)), np.float32)
    for row, n in zip(audio, samples, strict=True):
        row[:n] = rng.uniform(-1, 1, n) * (np.arange(n) % 400 < 300)
    return audio


def reference(x, sample_rate, bands):
    """Frame by frame in float64, SciPy's window, a filter bank made triangle by triangle."""
    hop, window = sample_rate // 100, sample_rate // 40
    size = 256 if window <= 256 else 512
    frames = []
    for t in range(-(-len(x) // hop)):
        start = t * hop + hop / 2 - window / 2
        inside = [int(np.ceil(start)) + i for i in range(window)]
        frames.append([x[i] if 0 <= i < len(x) else 0.0 for i in inside])
    windowed = np.array(frames) * scipy.signal.get_window("hann", window, fftbins=True)
    power = np.abs(np.fft.fft(windowed, size))[:, : size // 2 + 1] ** 2
    low, high = (1127.0105 * np.log(1 + f / 700) for f in (20, sample_rate / 2))
    points = 700 * (np.exp(np.linspace(low, high, bands + 2) / 1127.0105) - 1)
    bins = np.arange(size // 2 + 1) * sample_rate / size
    mel = [np.interp(bins, points[b : b + 3], [0, 1, 0]) for b in range(bands)]
    return np.log(np.maximum(power @ np.array(mel).T, 1e-6))


def regression(x):
    """Least-squares slopes over five frames, the ends repeated."""
    padded = np.pad(x, ((2, 2), (0, 0)), mode="edge")
    return np.array([np.polyfit(range(5), padded[t : t + 5], 1)[0] for t in range(len(x))])


@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_features_are_those_of_the_formulas(rng, sample_rate):
    samples = (1234, 801, 240)
    audio = some_audio(rng, samples)
    length = -(-np.array(samples) // (sample_rate // 100))
    found = keras.ops.convert_to_numpy(LogMel(sample_rate, 20)(audio, length.astype(np.int32)))
    assert found.shape[1:] == (length.max(), 60)
    for row, n, frames in zip(range(3), samples, length, strict=True):
        static = reference(np.float64(audio[row, :n]), sample_rate, 20)
        first = regression(static)
        expected = np.concatenate([static, first, regression(first)], axis=1)
        np.testing.assert_allclose(found[row, :frames], expected, atol=2e-3)
        assert not found[row, frames:].any()


def test_a_tone_is_loudest_in_the_band_around_it():
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000)[None].astype(np.float32)
    x = keras.ops.convert_to_numpy(LogMel(16000, 40, deltas=False)(tone))[0]
    edges = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (20, 8000)), 42)
    band = np.abs(edges[1:-1] - 2595 * np.log10(1 + 1000 / 700)).argmin()
    assert (x[5:-5].argmax(1) == band).all()


def test_what_follows_the_end_changes_nothing(rng):
    audio = some_audio(rng)
    length = np.array([8, 6, 2], np.int32)
    layer, normalize = LogMel(16000, 30), UtteranceNormalization()
    narrow = layer(audio, length)
    wide = layer(np.pad(audio, ((0, 0), (0, 977))), length)
    normal = [keras.ops.convert_to_numpy(normalize(x, length)) for x in (narrow, wide)]
    narrow, wide = (keras.ops.convert_to_numpy(x) for x in (narrow, wide))
    for first, second in ((narrow, wide), normal):
        np.testing.assert_allclose(first, second[:, :8], atol=1e-5)
        assert not second[:, 8:].any()


def test_each_utterance_is_normalized_over_its_frames(rng):
    x = rng.normal(3.0, 2.0, (2, 9, 4)).astype(np.float32)
    x[0, :, 2] = 7.0  # a band that stays the same
    found = keras.ops.convert_to_numpy(UtteranceNormalization()(x, np.array([9, 5], np.int32)))
    np.testing.assert_allclose(
        found[1, :5], (x[1, :5] - x[1, :5].mean(0)) / x[1, :5].std(0), atol=1e-4
    )
    assert not found[0, :, 2].any()
    assert not found[1, 5:].any()


def test_differences_of_a_slope_are_its_slope():
    x = 3.0 * np.arange(8, dtype=np.float32)[None, :, None]
    found = keras.ops.convert_to_numpy(differences(x, np.array([8], np.int32)))[0, :, 0]
    np.testing.assert_allclose(found[2:-2], 3.0, rtol=1e-6)
    np.testing.assert_allclose(found[0], (1 * 3 + 2 * 6) / 10, rtol=1e-6)


def test_layers_come_back_from_their_configuration(rng):
    audio, length = some_audio(rng, (8000, 4000)), np.array([100, 50], np.int32)
    for layer, x in (
        (LogMel(8000, 12, frame_ms=32, deltas=False), audio),
        (UtteranceNormalization(epsilon=0.1), rng.normal(size=(2, 100, 3)).astype("float32")),
    ):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        first, second = (keras.ops.convert_to_numpy(f(x, length)) for f in (layer, again))
        np.testing.assert_array_equal(first, second)


def test_bands_that_get_nothing_are_refused():
    with pytest.raises(InputError, match=r"fewer mel bands .* num_mel_bins=200, of which"):
        mel_filters(8000, 256, 200)


def test_a_window_shorter_than_the_hop_is_refused():
    with pytest.raises(InputError, match="Received: 40 and 80 samples"):
        LogMel(8000, 20, frame_ms=5)

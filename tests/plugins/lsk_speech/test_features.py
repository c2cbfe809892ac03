import json

import keras
import numpy as np
import pytest
from scipy.signal import savgol_coeffs

from ls_base.errors import InputError, LsKerasError
from lsk_engine.data.formats.ragged import Ragged
from lsk_speech.corpora.recordings import LazyRows
from lsk_speech.features import (
    Sound,
    StreamedFeatures,
    log_mel,
    normalized_by_speaker,
    with_deltas,
)
from lsk_speech.network.frontend import LogMel
from lsk_speech.source_data import Speech


def test_log_mels_are_the_layers_whatever_stands_beside_them(rng):
    rows = [rng.integers(-9000, 9000, n).astype(np.int16) for n in (1000, 455, 3)]
    found = log_mel(Ragged.of(rows), 1000, num_mel_bins=6, deltas=True)
    assert found.lengths.tolist() == [100, 46, 1]
    layer = LogMel(1000, 6, deltas=True)
    for i, row in enumerate(rows):
        samples = np.zeros((1, 10 * found.lengths[i]), np.float32)
        samples[0, : len(row)] = row / 32768
        alone = keras.ops.convert_to_numpy(layer(samples))[0]
        np.testing.assert_allclose(found[i], alone, atol=0.01)


class Given(LazyRows):
    """Recordings that are in memory, as if they were not."""

    def __init__(self, rows):
        super().__init__(np.array([len(row) for row in rows]), np.zeros(0, np.int16))
        self.rows = rows

    def make(self, rows):
        """Yields samples of recordings."""
        yield from (self.rows[row] for row in rows)


def test_long_recordings_stand_beside_few(rng, monkeypatch):
    """Ten minutes in a batch of 64 would take 64 times their memory."""
    seen = []

    class Watched(LogMel):
        def call(self, audio, length=None):
            seen.append((audio.shape[0], audio.shape[1] // self.hop))
            assert np.prod(seen[-1]) <= 1 << 17
            return super().call(audio, length)

    monkeypatch.setattr("lsk_speech.features.LogMel", Watched)
    rows = [rng.integers(-9000, 9000, 10 * n).astype(np.int16) for n in (600, 9, 60_000, 50, 2000)]
    found = log_mel(Ragged.of(rows), 1000, num_mel_bins=4, deltas=False)
    assert seen == [(64, 2000), (2, 60_000)]
    streamed = StreamedFeatures(Given(rows), 1000, num_mel_bins=4, deltas=False)
    order = np.array([3, 0, 2, 4, 1])
    for row, frames in zip(order, streamed.make(order), strict=True):
        np.testing.assert_allclose(frames, found[row], atol=0.01)
    assert seen[2:] == [(2, 600), (2, 60_000), (1, 100)]


def test_differences_are_slopes_of_regression_lines(rng):
    """Against SciPy: the slope of the line through five points."""
    rows = [rng.normal(size=(n, 2)).astype(np.float32) for n in (9, 1, 4)]
    found = with_deltas(Ragged.of(rows))
    weights = savgol_coeffs(5, 1, deriv=1, use="dot")

    def slopes(x):
        edged = np.pad(x, ((2, 2), (0, 0)), "edge")
        return np.stack([weights @ edged[t : t + 5] for t in range(len(x))])

    for i, row in enumerate(rows):
        expected = np.concatenate([row, slopes(row), slopes(slopes(row))], 1)
        np.testing.assert_allclose(found[i], expected, atol=1e-5)


def test_normalization_by_speaker(rng):
    rows = [rng.normal(3, 2, size=(n, 2)).astype(np.float32) for n in (5, 9, 30)]
    speech = Speech(Ragged.of(rows), ["x"] * 3, ["ann", "bo", "ann"])
    found = normalized_by_speaker(speech).rows
    of_ann = np.concatenate([rows[0], rows[2]])
    expected = (rows[2] - of_ann.mean(0)) / of_ann.std(0)
    np.testing.assert_allclose(found[2], expected, atol=1e-4)
    np.testing.assert_allclose(found[1].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(speech.rows[1], rows[1])  # what it was made of is as before


SOUND = Sound("log-mel", 16000, num_mel_bins=80, deltas=True, by_speaker=False)


@pytest.mark.parametrize(
    "sound", [SOUND, Sound("features", None, num_mel_bins=80, deltas=False, by_speaker=True)]
)
def test_what_a_model_hears_is_kept_with_it(sound):
    assert Sound.from_artifacts(sound.artifacts) == sound


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": "smell"}, "a valid input in sound.json. Received: 'smell'"),
        ({"sample_rate": "16000"}, "sample_rate in sound.json to be int | null. .*'16000'"),
        ({"sample_rate": 1}, "sample_rate in sound.json"),
        ({"sample_rate": None}, "a sample_rate in sound.json.*None with input 'log-mel'"),
        ({"num_mel_bins": 10**9}, "num_mel_bins in sound.json to be int <= 4096"),
        ({"deltas": 1}, "deltas in sound.json to be bool. Received: 1"),
    ],
)
def test_what_cannot_be_heard_is_told(change, message):
    content = {**json.loads(SOUND.artifacts["sound.json"]), **change}
    with pytest.raises(InputError, match=message):
        Sound.from_artifacts({"sound.json": json.dumps(content).encode()})


def test_a_run_that_does_not_say_is_told():
    with pytest.raises(LsKerasError, match="Expected sound.json of a run. Received: none"):
        Sound.from_artifacts({})

import keras
import numpy as np
from scipy.signal import savgol_coeffs

from lsk_engine.data.ragged import Ragged
from lsk_speech.features import log_mel, normalized_by_speaker, with_deltas
from lsk_speech.frontend import LogMel
from lsk_speech.source_data import Speech


def test_log_mels_are_the_layers_whatever_stands_beside_them(rng):
    rows = [rng.integers(-9000, 9000, n).astype(np.int16) for n in (1000, 455, 3)]
    found = log_mel(Ragged.of(rows), 1000, bands=6, deltas=True)
    assert found.lengths.tolist() == [100, 46, 1]
    layer = LogMel(1000, 6, deltas=True)
    for i, row in enumerate(rows):
        samples = np.zeros((1, 10 * found.lengths[i]), np.float32)
        samples[0, : len(row)] = row / 32768
        alone = keras.ops.convert_to_numpy(layer(samples))[0]
        np.testing.assert_allclose(found[i], alone, atol=0.01)


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

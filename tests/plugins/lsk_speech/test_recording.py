import io

import numpy as np
import pytest
import soundfile

from ls_base.errors import InputError
from lsk_speech.recording import read_recording, resample, to_int16


def test_wav_and_flac_give_their_samples(tmp_path, rng):
    samples = rng.integers(-32768, 32768, 500).astype(np.int16)
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, samples, 16000)
        read = read_recording(tmp_path / name, 16000, name)
        assert read.dtype == np.int16
        np.testing.assert_array_equal(read, samples)
        again = read_recording((tmp_path / name).read_bytes(), 16000, name)
        np.testing.assert_array_equal(again, samples)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_a_tone_stays_a_tone_at_another_rate(rate):
    times = np.arange(rate) / rate
    heard = resample(np.sin(2 * np.pi * 440 * times), rate, 16000)
    assert len(heard) == 16000
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(heard[2000:-2000], expected[2000:-2000], atol=0.005)


def test_float_samples_are_rounded_and_clipped():
    np.testing.assert_array_equal(
        to_int16(np.array([0.0, 0.5, -1.0, 1.0, 1.5])), [0, 16384, -32768, 32767, 32767]
    )


def wav(samples, **options):
    content = io.BytesIO()
    soundfile.write(content, samples, 8000, format="WAV", **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wav(np.zeros((9, 2))), "mono recording. Received: x.wav, with 2 channels"),
        (wav(np.zeros(9), subtype="PCM_U8"), "16 bits or more. Received: x.wav, with 8-bit"),
        (wav(np.zeros(0)), "at least one sample. Received: x.wav, with 0 samples"),
        (b"this is text\n", "WAV or FLAC recording. Received: x.wav: Format not"),
        (b"", "WAV or FLAC recording. Received: x.wav"),
        (wav(np.array([0, np.nan]), subtype="FLOAT"), "Received: x.wav, with nan at sample 1"),
        (wav(np.array([-np.inf, 0]), subtype="FLOAT"), "Received: x.wav, with -inf at sample 0"),
        (wav(np.array([0, 30000.0]), subtype="FLOAT"), "from -1 to 1. Received: x.wav.* 30000"),
    ],
    ids=["stereo", "8 bits", "0 samples", "text", "empty", "NaN", "infinite", "too large"],
)
def test_unusable_recordings_are_told(content, message, tmp_path):
    (tmp_path / "x.wav").write_bytes(content)
    for file in (content, tmp_path / "x.wav"):
        with pytest.raises(InputError, match=message) as caught:
            read_recording(file, 8000, "x.wav")
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"Received: a \(row 7\): no such file"):
        read_recording(tmp_path / "none.wav", 8000, "a (row 7)")

import io
import os
import struct

import numpy as np
import pytest
import soundfile

from ls_base.errors import InputError
from lsk_speech.corpora.recordings import read_recording, resample, to_int16


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


def with_header(content, at, kind, value):
    content = bytearray(content)
    struct.pack_into(kind, content, at, value)
    return bytes(content)


def ogg_with_a_flipped_bit():
    noise = 0.1 * np.random.default_rng(0).normal(size=40_000)
    content = io.BytesIO()
    soundfile.write(content, noise, 8000, format="OGG")
    damaged = bytearray(content.getvalue())
    damaged[len(damaged) // 2] ^= 4
    return bytes(damaged)


def flac(total):
    """Returns 4,000 samples under a header that claims `total`, in the last of 64 bits from 18."""
    content = io.BytesIO()
    soundfile.write(content, 0.1 * np.sin(np.arange(4000)), 8000, format="FLAC")
    (packed,) = struct.unpack_from(">Q", content.getvalue(), 18)
    return with_header(content.getvalue(), 18, ">Q", packed & ~(2**36 - 1) | total)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (flac(2**36 - 1), "to hold at most .* bytes unpacked"),
        (ogg_with_a_flipped_bit(), "Expected 40,000 samples, as the file's header says.* x, with"),
        (wav(np.zeros(99))[:-2], "Expected 242 bytes of a WAV recording.* Received: x, with 240"),
        (with_header(wav(np.zeros(99)), 24, "<I", 1), "1,000 to 400,000 samples a second.* with 1"),
        (with_header(wav(np.zeros(99)), 24, "<I", 2**31 - 1), "with 2,147,483,647"),
    ],
    ids=["a claim of samples", "too few samples", "cut off", "a rate of 1", "a rate without end"],
)
def test_claims_that_cannot_be_are_told(content, message):
    with pytest.raises(InputError, match=message):
        read_recording(content, 16000, "x")


def test_a_named_pipe_is_told_at_once(tmp_path):
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(InputError, match="Expected a recording. Received: x: not a file"):
        read_recording(tmp_path / "x.wav", 8000, "x")

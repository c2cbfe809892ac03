import numpy as np
import pytest

from ls_base.errors import LsKerasError
from lsk_speech.corpora import speaking
from lsk_speech.corpora.espeak import Voice
from lsk_speech.corpora.speaking import Line, speak

VOICE = Voice("en-us", "f3", 160, 50)


def lines(count, voice=VOICE):
    return [Line(f"number {i} and {i + 1}", voice) for i in range(count)]


@pytest.mark.slow
def test_the_same_lines_sound_the_same_beside_others(monkeypatch):
    """Chunks are spoken by fresh processes: how many there are makes no difference."""
    monkeypatch.setattr(speaking, "_CHUNK", 3)
    seen = []
    long = speak(lines(5), 8000, lambda done, total: seen.append((done, total)))
    short = speak(lines(3), 8000)
    assert len(long) == 5
    assert seen[-1] == (5, 5)
    for i in range(3):
        np.testing.assert_array_equal(long[i], short[i])
    assert long.values.dtype == np.int16
    assert all(4000 < n < 24000 for n in long.lengths)  # half a second to three
    assert all(np.abs(long[i]).max() > 1000 for i in range(5))


def test_speed_and_voice_are_heard():
    slow, fast, other = speak(
        [
            Line("seven blue kilometers", Voice("en-us", "f3", 120, 50)),
            Line("seven blue kilometers", Voice("en-us", "f3", 240, 50)),
            Line("seven blue kilometers", Voice("en-gb-scotland", "m3", 240, 50)),
        ],
        8000,
    )
    assert len(slow) > 1.5 * len(fast)
    size = min(len(fast), len(other))
    assert np.corrcoef(fast[:size], other[:size])[0, 1] < 0.9


def test_an_unknown_voice_is_told():
    with pytest.raises(LsKerasError, match=r"Received: 0, then .*voice of eSpeak NG.*'xx-yy'"):
        speak(lines(1, Voice("xx-yy", "", 160, 50)), 8000)


def test_a_process_that_dies_is_told(monkeypatch):
    monkeypatch.setattr(speaking, "_command", lambda: ["false"])
    with pytest.raises(LsKerasError, match="speak 2 lines. Received: 0, then exit status 1"):
        speak(lines(2), 8000)

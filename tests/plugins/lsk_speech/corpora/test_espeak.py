from pathlib import Path

import numpy as np
import pytest

from lsk_speech.corpora.espeak import Voice, _make_data_folder, random_variant
from lsk_speech.corpora.speaking import Line, speak


@pytest.fixture
def data(tmp_path):
    """Data as the library has them, in small."""
    data = tmp_path / "data"
    for name in ("phondata", "lang/gmw/en-US", "voices/mb/mb-de1", "voices/!v/f3"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    return data


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("links", [True, False], ids=["linked", "copied"])
def test_own_variants_lie_beside_those_of_the_library(data, tmp_path, monkeypatch, links):
    """Where links can't be made, as for most users of Windows, copies do."""

    def refuse(*_, **__):
        raise OSError(1314, "A required privilege is not held by the client")

    if not links:
        monkeypatch.setattr(Path, "symlink_to", refuse)
    before = contents(data)
    folder = tmp_path / "own"
    folder.mkdir()
    variants = _make_data_folder(data, folder)
    assert (folder / "phondata").is_symlink() == links
    for name, text in before.items():
        assert (folder / name).read_text() == text
    (variants / "made0").write_text("pitch 80 117")
    assert contents(data) == before


def formants(text):
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith("formant")]
    return np.array(rows, int)


def test_it_is_drawn_from_the_generator_alone():
    assert random_variant(np.random.default_rng(3)) == random_variant(np.random.default_rng(3))
    assert random_variant(np.random.default_rng(3)) != random_variant(np.random.default_rng(4))


def test_formants_move_together_and_apart():
    rng = np.random.default_rng(0)
    drawn = np.stack([formants(random_variant(rng)) for _ in range(400)])
    assert drawn.shape == (400, 9, 4)  # number, frequency, height, width
    first, second = drawn[:, 1, 1], drawn[:, 2, 1]
    assert 0.3 < np.corrcoef(first, second)[0, 1] < 0.9
    low, high = np.quantile(first, [0.01, 0.99])
    assert 60 < low < 80
    assert 130 < high < 160
    assert (drawn[:, :, 1:] > 0).all()


def spectral_center(samples, sample_rate):
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    return (np.fft.rfftfreq(len(samples), 1 / sample_rate) * power).sum() / power.sum()


def test_settings_are_heard():
    """Formants of a shorter tract lie higher, whatever was spoken before."""

    def voice(name, percent):
        lines = [f"formant {n} {percent} 100 100" for n in range(1, 9)]
        return Voice("en-us", name, 160, 50, "\n".join(lines) + "\n")

    voices = [voice("long", 75), Voice("en-us", "", 160, 50), voice("short", 140)]
    spoken = speak([Line("seven blue kilometers", v) for v in voices], 16000)
    low, plain, high = (spectral_center(spoken[i], 16000) for i in range(3))
    assert low < 0.9 * plain < 0.9 * 0.9 * high


def test_a_made_voice_is_no_other_than_the_file_it_is_made_from():
    """The library's own variant, given as settings: the same samples."""
    import espeakng_loader

    text = (Path(espeakng_loader.get_data_path()) / "voices/!v/f3").read_text()
    settings = "\n".join(
        x for x in text.splitlines() if x.split()[:1] not in (["name"], ["language"])
    )
    line = "seven blue kilometers"
    library = speak([Line(line, Voice("en-us", "f3", 160, 50))], 8000)
    made = speak([Line(line, Voice("en-us", "made", 160, 50, settings))], 8000)
    np.testing.assert_array_equal(library.values, made.values)


def test_it_speaks_whatever_is_drawn():
    rng = np.random.default_rng(1)
    lines = [
        Line("zero zero", Voice("en-us", f"made{n}", 160, 50, random_variant(rng)))
        for n in range(100)
    ]
    spoken = speak(lines, 8000)
    assert all(np.abs(spoken[n].astype(int)).max() > 500 for n in range(100))

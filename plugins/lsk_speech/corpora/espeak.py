"""Speech synthesis with eSpeak NG through ctypes, and random voices for it."""

import ctypes
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ls_base.errors import LsKerasError, MissingExtraError
from lsk_engine import InputError

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CHARACTERS = 1  # a position in the text counts characters
_UTF8 = 1
_RATE, _PITCH = 1, 3  # numbers of parameters
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@dataclass(frozen=True)
class Voice:
    """How somebody speaks.

    Attributes:
        accent: A voice of eSpeak NG, such as `en-us`.
        variant: A variant of its, such as `f3`, or none.
        words_per_minute: 80 … 450.
        pitch: 0 … 100.
        settings: What the variant is, as the text of a variant file; empty: the library has it.
    """

    accent: str
    variant: str
    words_per_minute: int
    pitch: int
    settings: str = ""


class Synthesizer:
    """The library, loaded. It has one state a process: not for two threads.

    The state stays from one text to the next and touches phases and noise, so the same text comes
    out the same only as part of the same sequence in a fresh process.
    """

    def __init__(self):
        try:
            import espeakng_loader
        except ImportError as error:  # pragma: no cover - the extra is installed where tests run
            raise MissingExtraError(
                f"Expected the speech extra: pip install 'ls-keras[speech]'. Received: {error}"
            ) from error
        self._chunks: list[np.ndarray] = []
        self._callback = _CALLBACK(self._receive)  # kept: the library calls it
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise LsKerasError(
                f"Expected a usable eSpeak NG library in espeakng-loader. Received: {error}"
            ) from error
        data = Path(espeakng_loader.get_data_path())
        self._folder = tempfile.TemporaryDirectory(prefix="ls-keras-voices-")
        self._variants = _with_own_variants(data, Path(self._folder.name))
        path = self._folder.name.encode()
        self.sample_rate = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, path, 0)
        if self.sample_rate <= 0:
            raise LsKerasError(
                f"Expected eSpeak NG to start with {data}. Received: error {self.sample_rate}"
            )
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # of breath; else the time is it

    def speak(self, text: str, voice: Voice) -> np.ndarray:
        """Returns `text`, spoken.

        Args:
            text: Plain text.
            voice: How.

        Returns:
            int16 `(samples,)` at `sample_rate`.

        Raises:
            InputError: If there is no such voice, or nothing comes out.
        """
        if voice.settings:
            file = self._variants / voice.variant
            file.write_text(f"language variant\nname {voice.variant}\n{voice.settings}")
        name = f"{voice.accent}+{voice.variant}" if voice.variant else voice.accent
        # Of an unknown variant, eSpeak NG says nothing.
        if self._library.espeak_SetVoiceByName(name.encode()):
            raise InputError(f"Expected a voice of eSpeak NG. Received: {name!r}")
        self._library.espeak_SetParameter(_RATE, voice.words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, voice.pitch, 0)
        self._chunks = []
        content = text.encode() + b"\0"
        failed = self._library.espeak_Synth(
            content, ctypes.c_size_t(len(content)), 0, _CHARACTERS, 0, _UTF8, None, None
        )
        if failed or not self._chunks:
            raise InputError(
                f"Expected text that eSpeak NG can speak. Received: {text!r} (error {failed})"
            )
        return np.concatenate(self._chunks)

    def _receive(self, samples, count: int, events) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def _with_own_variants(data: Path, folder: Path) -> Path:
    """Brings the library's data into `folder`; returns its folder of variants, a real one."""
    voices = folder / "voices"
    for place, inside in ((folder, "voices"), (voices, "!v"), (voices / "!v", None)):
        place.mkdir(exist_ok=True)
        for entry in (data / place.relative_to(folder)).iterdir():
            if entry.name != inside:
                _bring(entry, place / entry.name)
    return voices / "!v"


def _bring(entry: Path, place: Path) -> None:
    """Links a file or folder, or copies it where links can't be made."""
    try:
        place.symlink_to(entry, target_is_directory=entry.is_dir())
    except OSError:  # Windows refuses most users, some file systems everybody
        if entry.is_dir():
            shutil.copytree(entry, place)
        else:
            shutil.copyfile(entry, place)


_FORMANTS = range(9)  # 0: a low one of voiced sounds; 1 … 3 tell vowels apart; the others are fixed


def made_variant(rng: np.random.Generator) -> str:
    """Draws the text of a variant file.

    A vocal tract of its own length scales all formants alike; each moves by itself too, and has a
    strength and width of its own. Pitch follows the tract loosely: short ones speak high. Breath,
    echo, tremor, another source of the voice (`klatt`) and a tone control come now and then.

    Args:
        rng: Makes the draws.

    Returns:
        Lines of settings, as eSpeak NG's documentation of voice files has them.
    """
    tract = np.exp(rng.normal(0.02, 0.12))
    base = np.clip(105 * np.exp(2.2 * np.log(tract) + rng.normal(0, 0.25)), 50, 260)
    pitch = [base, base * rng.uniform(1.1, 1.9)]
    lines = [
        _line("pitch", pitch),
        _line("flutter", [rng.integers(0, 9)]),
        _line("roughness", [rng.integers(0, 5)]),
        _line("voicing", [np.clip(100 * np.exp(rng.normal(0, 0.5)), 25, 250)]),
        _line("consonants", 100 * np.exp(rng.normal(0, 0.3, 2))),
    ]
    for formant in _FORMANTS:
        apart = rng.normal(0, 0.03 if formant == 0 else 0.1)
        height, width = 100 * np.exp(rng.normal(0, (0.3, 0.25)))
        if formant > 3 and rng.random() < 0.3:  # some files all but switch these off
            height *= 0.2
        lines.append(_line(f"formant {formant}", [100 * tract * np.exp(apart), height, width]))
    if rng.random() < 0.3:
        lines.append(_line("breath", rng.uniform(0, 6, 8)))
    if rng.random() < 0.3:
        lines.append(_line("echo", [rng.integers(10, 151), rng.integers(5, 81)]))
    if rng.random() < 0.3:
        lines.append(_line("stressAmp", rng.uniform(14, 30, 8)))
    if rng.random() < 0.3:
        hertz, gains = (100, 600, 1200, 2000, 3000), rng.uniform(20, 256, 5)
        lines.append(_line("tone", np.stack([hertz, gains], axis=1).ravel()))
    if rng.random() < 0.2:
        lines.append(_line("klatt", [rng.integers(1, 7)]))
    return "\n".join(lines) + "\n"


def _line(key: str, values) -> str:
    return " ".join([key, *(str(round(float(value))) for value in values)])

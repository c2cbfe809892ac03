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
    """A synthetic speaker.

    Attributes:
        accent: A voice of eSpeak NG, such as `en-us`.
        variant: A variant of it, such as `f3`, or empty.
        words_per_minute: 80 … 450.
        pitch: 0 … 100.
        settings: Text of the variant's file; empty if the library has the variant.
    """

    accent: str
    variant: str
    words_per_minute: int
    pitch: int
    settings: str = ""


class Synthesizer:
    """The loaded library; it has one state per process and is not thread-safe.

    The state persists between texts and affects phases and noise, so a text sounds identical only
    at the same position of the same sequence in a fresh process.
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
        self._variants = _make_data_folder(data, Path(self._folder.name))
        path = self._folder.name.encode()
        self.sample_rate = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, path, 0)
        if self.sample_rate <= 0:
            raise LsKerasError(
                f"Expected eSpeak NG to start with {data}. Received: error {self.sample_rate}"
            )
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # breath noise

    def speak(self, text: str, voice: Voice) -> np.ndarray:
        """Speaks a text.

        Args:
            text: Plain text.
            voice: The speaker.

        Returns:
            int16 `(samples,)` at `sample_rate`.

        Raises:
            InputError: If there is no such voice, or no sound results.
        """
        if voice.settings:
            file = self._variants / voice.variant
            file.write_text(f"language variant\nname {voice.variant}\n{voice.settings}")
        name = f"{voice.accent}+{voice.variant}" if voice.variant else voice.accent
        # eSpeak NG does not report unknown variants.
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


def _make_data_folder(data: Path, folder: Path) -> Path:
    """Links the library's data into `folder`; returns a writable folder of variants."""
    voices = folder / "voices"
    for place, inside in ((folder, "voices"), (voices, "!v"), (voices / "!v", None)):
        place.mkdir(exist_ok=True)
        for entry in (data / place.relative_to(folder)).iterdir():
            if entry.name != inside:
                _link(entry, place / entry.name)
    return voices / "!v"


def _link(entry: Path, place: Path) -> None:
    """Links a file or folder, or copies it if links are not possible."""
    try:
        place.symlink_to(entry, target_is_directory=entry.is_dir())
    except OSError:  # on Windows and some file systems
        if entry.is_dir():
            shutil.copytree(entry, place)
        else:
            shutil.copyfile(entry, place)


_FORMANTS = range(9)  # 0: low, in voiced sounds; 1 … 3 distinguish vowels; the others are fixed


def random_variant(rng: np.random.Generator) -> str:
    """Draws the text of a variant file.

    The library has some sixty clearly different variants, too few to train on. Here, a random vocal
    tract length scales all formants, and each formant has a random shift, strength and width. Pitch
    correlates loosely with the tract: short ones are high. Breath, echo, tremor, another voice
    source (`klatt`) and a tone control occur now and then.

    Args:
        rng: Random generator.

    Returns:
        Lines of settings, as in eSpeak NG's documentation of voice files.
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
        if formant > 3 and rng.random() < 0.3:  # some files nearly switch these off
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

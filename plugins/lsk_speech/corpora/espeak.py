"""eSpeak NG through ctypes: text in, samples out.

The library and its voices come as the wheel `espeakng-loader` (GPL-3). Nothing of them is part of
this package; they are loaded where the `speech` extra has put them.
"""

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

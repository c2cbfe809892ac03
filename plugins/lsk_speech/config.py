"""Defaults and presets of the speech task."""

import dataclasses

from ls_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which utterances, what the model gets of them, and what their transcripts are cut into.

    Attributes:
        source: `spoken-words` (made on the spot), a manifest, a folder of digits, an `.npz` file
            of features, a TFDS name, or a directory that `lsk prepare` wrote, whose settings then
            replace the others here.
        units: `words`, `characters` or `subwords`.
        vocabulary_size: Sub-words, where `units` is `subwords`.
        input: `waveform`: the model computes its features; `log-mel`: they are computed once,
            while loading. Ready features are taken as they are.
        normalization: What the mean and variance of features are taken over: `utterance`,
            `speaker` (not with waveforms) or `none`.
        bands: Mel bands.
        deltas: Whether features get their first and second differences in time.
        sample_rate: Samples a second that recordings are brought to.
        utterances: Training utterances; `None`: all, or as many as the source makes by itself.
        held_out_speaker: The speaker whose digits are the test split; `None`: the official split.
        max_seconds: Training utterances that last longer are left out; validation and test
            utterances never are.
        min_words: Words of a string, at least, where the source makes strings.
        max_words: Words of a string, at most.
        split_seed: Seed of what is drawn: strings, held-out speakers, utterances.
        cache: Folder for speech made on the spot; `None`: `ls-keras` in the user's cache folder.
    """

    source: str = "spoken-words"
    units: str = "words"
    vocabulary_size: int = 1000
    input: str = "waveform"
    normalization: str = "utterance"
    bands: int = 80
    deltas: bool = True
    sample_rate: int = 16000
    utterances: int | None = None
    held_out_speaker: str | None = None
    max_seconds: float = 20.0
    min_words: int = 2
    max_words: int = 5
    split_seed: int = 0
    cache: str | None = None

    def __post_init__(self):
        for key, choices in (
            ("units", ("words", "characters", "subwords")),
            ("input", ("waveform", "log-mel")),
            ("normalization", ("utterance", "speaker", "none")),
        ):
            if getattr(self, key) not in choices:
                raise InputError(
                    f"Expected data.{key} to be one of {', '.join(choices)}. "
                    f"Received: {getattr(self, key)!r}"
                )
        for key, least in (
            ("vocabulary_size", 8),
            ("bands", 1),
            ("sample_rate", 1000),
            ("utterances", 1),
            ("max_seconds", 0.1),
            ("min_words", 1),
            ("split_seed", 0),
        ):
            value = getattr(self, key)
            if value is not None and not value >= least:
                raise InputError(f"Expected data.{key} of at least {least}. Received: {value}")
        if self.sample_rate % 100:
            raise InputError(
                "Expected data.sample_rate to be a multiple of 100, since frames are 10 ms apart. "
                f"Received: {self.sample_rate}"
            )
        if self.max_words < self.min_words:
            raise InputError(
                f"Expected data.max_words of at least data.min_words={self.min_words}. "
                f"Received: {self.max_words}"
            )


DATA_SOURCES = {
    "spoken-words": "random strings of about 130 words, spoken by eSpeak NG in many voices",
    "MANIFEST": "a .tsv file (file, text, optional speaker and split) over WAV or FLAC files",
    "FOLDER": "the Free Spoken Digit Dataset (digits joined into strings), or manifest.tsv",
    "FEATURES": "an .npz file of ready features, such as the cepstra of AN4",
    "PREPARED": "a directory that `lsk prepare` wrote",
    "TFDS": "a TensorFlow Datasets name, such as librispeech or speech_commands",
}

"""Strings of random words, spoken by eSpeak NG: speech that needs no download.

Words are drawn independently, so only the sound can predict the next one. Speakers are accents
with variants (voices), and no two splits share a variant. The held-out splits use variants of the
library; training uses others of these and many random ones.
"""

import importlib.metadata
import sys
from collections.abc import Sequence

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.progress import Reporter
from lsk_speech.config import DataConfig
from lsk_speech.corpora.espeak import Voice, random_variant
from lsk_speech.corpora.speaking import Line, speak
from lsk_speech.corpora.stored_speech import cache_folder, cached
from lsk_speech.source_data import Speech, SpeechSource

DEFAULT_UTTERANCES, HELD_OUT = 8000, 500
RANDOM_SPEAKERS = 1500  # of training, beside 320 with the library's variants
_VERSION = 3  # of words and draws; a change invalidates cached speech

# Letters are words, except "a", which would be read as the article.
_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
hundred thousand million
b c d e f g h i j k l m n o p q r s t u v w x y z
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
black white red green blue yellow orange purple brown pink gray
meter liter gram second minute hour day week month year degree percent inch mile pound ton
volt
north south east west left right up down
start stop yes no open begin end first third half quarter
point minus plus times equals noon midnight today tomorrow morning evening
"""
WORDS = tuple(_WORDS.split())
ACCENTS = (
    *("en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd"),
    *("en-gb-scotland", "en-029"),
)
VARIANTS = {
    "train": (
        *("m1", "m3", "m4", "m5", "m7", "f1", "f2", "f4", "f5", "Alex", "Alicia", "Andy"),
        *("Annie", "Diogo", "Gene", "Henrique", "Lee", "Mario", "Michael", "Mike", "adam"),
        *("aunty", "belinda", "benjamin", "david", "ed", "edward", "grandma", "ian", "john"),
        *("linda", "marcelo", "max", "michel", "paul", "quincy", "rob", "sandro", "steph"),
        "travis",
    ),
    "validation": ("m6", "anika", "boris", "gustave", "steph2", "pablo"),
    "test": ("m2", "m8", "f3", "Marco", "caleb", "miguel", "norbert", "robert", "shelby", "victor"),
}


def load_spoken_words(options: DataConfig) -> SpeechSource:
    """Returns the strings from the cache, or draws and speaks them.

    Args:
        options: Number and length of strings, sample rate, seed and cache. The held-out splits are
            the same for any number of training utterances.

    Raises:
        InputError: If there are not enough different strings.
        MissingExtraError: If eSpeak NG is not installed.
    """
    counts = {
        "test": HELD_OUT,
        "validation": HELD_OUT,
        "train": options.max_train_examples or DEFAULT_UTTERANCES,
    }
    key = {
        "version": _VERSION,
        "espeakng-loader": _loader_version(),
        "counts": counts,
        "words": [options.min_words, options.max_words],
        "seed": options.split_seed,
        "sample_rate": options.sample_rate,
    }

    def make() -> dict[str, Speech]:
        drawn = draw(counts, options.min_words, options.max_words, options.split_seed)
        reporter = Reporter(verbosity=0 if sys.stderr.isatty() else -1)
        shown = reporter.counter("speaking", "utterances")
        spoken = speak([x for xs in drawn.values() for x in xs], options.sample_rate, shown)
        return _splits(drawn, spoken)

    splits = cached(cache_folder(options.cache), "spoken-words", key, make)
    notes = ("synthetic: random words, spoken by eSpeak NG",)
    return SpeechSource(splits, options.sample_rate, notes)


def draw(
    counts: dict[str, int], min_words: int, max_words: int, seed: int
) -> dict[str, list[Line]]:
    """Draws strings and speakers for each split; no string is in two splits.

    Args:
        counts: Lines of each split; a split depends only on those before it.
        min_words: Smallest number of words in a string.
        max_words: Largest number of words in a string.
        seed: Seed of all draws.
    """
    different = sum(len(WORDS) ** n for n in range(min_words, max_words + 1))
    if sum(counts.values()) > different // 2:
        raise InputError(
            f"Expected at most {different // 2} strings of {min_words} to {max_words} words. "
            f"Received: {sum(counts.values())}"
        )
    taken: set[str] = set()
    splits = {}
    for split, count in counts.items():
        rng = np.random.default_rng([seed, list(VARIANTS).index(split)])
        voices = [
            Voice(accent, variant, *_speed_and_pitch(rng))
            for variant in VARIANTS[split]
            for accent in ACCENTS
        ]
        if split == "train":
            for n in range(RANDOM_SPEAKERS):
                accent = str(rng.choice(ACCENTS))
                manner = _speed_and_pitch(rng)
                voices.append(Voice(accent, f"made{n}", *manner, random_variant(rng)))
        lines: list[Line] = []
        own: set[str] = set()
        while len(lines) < count:
            words = rng.choice(WORDS, rng.integers(min_words, max_words + 1))
            text, voice = " ".join(words), voices[rng.integers(len(voices))]
            if text not in taken:
                own.add(text)
                lines.append(Line(text, voice))
        taken |= own
        splits[split] = lines
    return splits


def _speed_and_pitch(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(130, 221)), int(rng.integers(30, 71))


def _splits(drawn: dict[str, list[Line]], spoken: Ragged) -> dict[str, Speech]:
    splits, start = {}, 0
    for split, lines in drawn.items():
        rows = spoken.take(np.arange(start, start + len(lines)))
        splits[split] = Speech(rows, [x.text for x in lines], _speakers(lines))
        start += len(lines)
    return splits


def _speakers(lines: Sequence[Line]) -> list[str]:
    return [f"{line.voice.accent}+{line.voice.variant}" for line in lines]


def _loader_version() -> str | None:
    try:
        return importlib.metadata.version("espeakng-loader")
    except importlib.metadata.PackageNotFoundError:  # pragma: no cover
        return None

"""Recordings of tones in place of words, with a manifest: speech that a test makes itself."""

import numpy as np
import soundfile

RATE = 8000
WORDS = {"low": 300, "mid": 700, "high": 1500}  # Hz


def tones(text, rng, rate=RATE):
    """Returns float samples: a tone of 60 to 120 ms for each word."""
    parts = []
    for word in text.split():
        times = np.arange(rng.integers(rate * 6 // 100, rate * 12 // 100)) / rate
        parts.append(0.3 * np.sin(2 * np.pi * WORDS[word] * times))
    return np.concatenate(parts)


def write_manifest(folder, counts=None, *, rate=RATE, rows=None):
    """Writes recordings `0.wav` … and `manifest.tsv` into `folder`; returns the manifest.

    Args:
        folder: Where.
        counts: Utterances by split.
        rate: Samples a second.
        rows: Instead of `counts`: lists of cells, written as they are below `file text`.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.tsv"
    if rows is not None:
        lines = ["\t".join(row) for row in [["file", "text"], *rows]]
        manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return manifest
    lines = ["file\ttext\tspeaker\tsplit"]
    number = 0
    for split, count in (counts or {"train": 12, "validation": 4, "test": 5}).items():
        for i in range(count):
            text = " ".join(rng.choice(list(WORDS), rng.integers(1, 4)))
            soundfile.write(folder / f"{number}.wav", tones(text, rng, rate), rate)
            lines.append(f"{number}.wav\t{text.capitalize()}!\tspeaker{i % 3}\t{split}")
            number += 1
    manifest.write_text("\n".join(lines) + "\n")
    return manifest

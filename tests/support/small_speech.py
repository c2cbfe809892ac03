"""A speech task so small that training takes seconds, on features and sounds made here."""

import numpy as np

from lsk_engine.data.formats.ragged import Ragged
from lsk_speech.data import Utterances, task_data
from lsk_speech.features import Sound
from lsk_speech.source_data import Speech
from lsk_speech.units import make_units

WORDS = ("ba", "be", "da", "go", "ka")
SETTINGS = {
    "data.units": "words",
    "data.deltas": False,
    "data.normalization": "none",  # an utterance of one word would become noise
    "data.num_mel_bins": 8,
    "model.convolution_width": 8,
    "model.encoder_layers": 1,
    "model.encoder_width": 6,
    "model.decoder_width": 10,
    "model.embedding_width": 5,
    "model.attention_width": 7,
    "model.location_filters": 3,
    "model.location_kernel": 5,
    "model.dropout": 0.1,
    "model.guided_attention": 0.0,
    "model.num_time_masks": 0,
    "model.num_freq_masks": 0,
    "optimizer.schedule": "constant",
    "optimizer.warmup_steps": 0,
    "optimizer.global_clipnorm": 0.0,
    "training.epochs": None,
    "training.steps": 4,
    "training.batch_size": 8,
    "training.max_length_buckets": 1,
    "training.jit_compile": False,
    "decoding.batch_size": 5,
}


def settings(folder):
    """Returns the settings, after writing features into `folder / "features.npz"`."""
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(len(WORDS), 4))
    frames, texts, splits = [], [], []
    for split, count in (("train", 24), ("validation", 6), ("test", 7)):
        for _ in range(count):
            words = rng.integers(len(WORDS), size=rng.integers(1, 4))
            lengths = rng.integers(5, 11, len(words))
            clean = np.repeat(patterns[words], lengths, axis=0)
            frames.append((clean + 0.1 * rng.normal(size=clean.shape)).astype(np.float32))
            texts.append(" ".join(WORDS[w] for w in words))
            splits.append(split)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "features.npz",
        feats=np.concatenate(frames),
        offsets=np.cumsum([0, *map(len, frames)]),
        text=np.array(texts),
        split=np.array(splits),
    )
    return {**SETTINGS, "data.source": str(folder / "features.npz")}


def sounds(count=9, sample_rate=1000):
    """Returns data of waveforms: each word a tone, in one split that is all of them."""
    rng = np.random.default_rng(0)
    rows, texts = [], []
    for _ in range(count):
        words = rng.integers(len(WORDS), size=rng.integers(1, 4))
        tones = [
            np.sin(2 * np.pi * 60 * (2 + w) * np.arange(rng.integers(150, 320)) / sample_rate)
            for w in words
        ]
        rows.append(np.int16(8000 * np.concatenate(tones)))
        texts.append(" ".join(WORDS[w] for w in words))
    speech = Speech(Ragged.of(rows), texts, ["unknown"] * count)
    units = make_units("words", texts, 0)
    tokens = Ragged.of(units.encode(text) for text in texts)
    utterances = Utterances(speech, tokens, sample_rate)
    sound = Sound("waveform", sample_rate, num_mel_bins=8, deltas=False, by_speaker=False)
    return task_data(dict.fromkeys(("train", "validation", "test"), utterances), units, sound, ())

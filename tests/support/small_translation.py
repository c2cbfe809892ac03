"""A translation task so small that training takes seconds, on text made here."""

import numpy as np

SETTINGS = {
    "data.vocabulary_size": 290,  # 256 of them bytes
    "data.subwords": "bpe",
    "data.max_length": 40,
    "model.layers": 1,
    "model.width": 16,
    "model.feedforward": 32,
    "model.heads": 2,
    "training.jit_compile": False,
    "training.batch_size": 8,
    "training.max_length_buckets": 1,
    "decoding.batch_size": 5,
}


def write_parallel_text(folder, train=40, held_out=9):
    """Writes a toy language pair into `folder`: words of letters, and the same ones reversed."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("val", held_out), ("test", held_out)):
        words = ["".join(rng.choice(list("abcd"), rng.integers(1, 5))) for _ in range(3 * count)]
        lines = [" ".join(words[3 * i : 3 * i + 1 + i % 3]) for i in range(count)]
        (folder / f"{split}.en").write_text("\n".join(lines) + "\n")
        (folder / f"{split}.de").write_text("\n".join(f"{w[::-1]}x" for w in lines) + "\n")
    return folder


def settings(folder):
    """Returns the settings, after writing text into `folder / "text"`."""
    return {**SETTINGS, "data.source": str(write_parallel_text(folder / "text"))}

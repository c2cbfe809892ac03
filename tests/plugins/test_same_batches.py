"""Batches are the bytes that they were when every split was read at once, whole, into memory.

The digests were taken of that code; that of long text since a batch to score has no more rows than
there are examples of its size. What may follow a library's version is left out: sub-words are
trained by SentencePiece, JPEG is decoded by Pillow (both are pinned where the digests hold).
"""

import hashlib

import numpy as np
import pytest
from PIL import Image

import small_speech
import small_translation
import speech_files
from lsk_engine.data.data_cache import load_data
from lsk_engine.data.datasets import evaluation_source, training_source
from lsk_engine.data.prepared.prepared_data import prepare
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.registry import load_task

pytestmark = pytest.mark.tensorflow


def pictures(folder):
    """Writes PNG files of several sizes in class folders, without validation pictures."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 9)):
        for name in ("a", "b", "c"):
            (folder / split / name).mkdir(parents=True)
            for i in range(count // 3):
                size = (6 + i % 3, 7, 3) if i % 4 else (8, 8)
                image = Image.fromarray(rng.integers(0, 256, size, np.uint8))
                image.save(folder / split / name / f"{i}.png")
    return {"data.source": str(folder), "data.size": 8, "data.channels": 3}


def encoded(folder):
    """Writes PNG files one after another in `.npz` files."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for split, count in (("train", 24), ("test", 9)):
        files = []
        for _ in range(count):
            file = folder / "one.png"
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(file)
            files.append(file.read_bytes())
            file.unlink()
        np.savez(
            folder / f"{split}.npz",
            jpeg=np.frombuffer(b"".join(files), np.uint8),
            offsets=np.cumsum([0, *map(len, files)]),
            labels=np.arange(count) % 3,
        )
    return {"data.source": str(folder)}


def arrays(folder):
    """Writes arrays as Keras's `mnist.npz` has them."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    sizes = {"train": 40, "test": 11}
    values = {f"x_{s}": rng.integers(0, 256, (n, 8, 8), np.uint8) for s, n in sizes.items()}
    values |= {f"y_{s}": np.arange(n) % 3 for s, n in sizes.items()}
    np.savez_compressed(folder / "all.npz", **values)
    return {"data.source": str(folder / "all.npz"), "data.max_train_examples": 25}


def recordings(folder, **more):
    """Writes recordings with a manifest."""
    manifest = speech_files.write_manifest(folder)
    small = {k: v for k, v in small_speech.SETTINGS.items() if k.startswith(("data", "training"))}
    told = {"data.source": str(manifest), "data.sample_rate": 8000, "data.input": "waveform"}
    return {**small, **told, **more}


DATA = {
    "class folders": ("image", pictures, "0c69f242af4e9f89"),
    "npz of files": ("image", encoded, "6a5f6f483f5b17fe"),
    "npz of arrays": ("image", arrays, "bc6850cf25ab821c"),
    "digits": ("image", lambda folder: {"data.source": "digits"}, "174d2aee66fcf5a1"),
    "ready features": ("speech", small_speech.settings, "2a5a4b7ed43efed8"),
    "recordings": ("speech", recordings, "d3585222399d8e4c"),
    # Their last bits are the machine's: held to one another only.
    "log-mel": ("speech", lambda f: recordings(f, **{"data.input": "log-mel"}), None),
    "text": ("translation", small_translation.settings, "f28b70f42c131ba0"),
    "long text": (
        "translation",
        lambda f: small_translation.settings(f) | LONG,
        "c4ac98806b016f78",
    ),
}
LONG = {"data.max_length": 6, "data.max_train_examples": 30, "training.max_length_buckets": 3}
PREPARED = {name: case for name, case in DATA.items() if case[0] != "image"}


def digest(task, config, folder):
    """Returns what two epochs of training, and every other split, consist of."""
    data = load_data(task, config, None)
    train = training_source(config, data)
    sources = [(train, 2 * train.steps_per_epoch)]
    for split in data.splits:
        source = evaluation_source(config, data, split)
        sources.append((source, source.steps_per_epoch))
    notes = [note.replace(str(folder), "") for note in data.notes]
    found = hashlib.sha256(repr((list(data.splits), notes, data.num_classes)).encode())
    found.update(np.asarray(data.class_counts).astype(np.int64).tobytes())
    for source, steps in sources:
        for step in range(steps):
            batch = source.batch(step)
            for array in (*(batch.inputs[name] for name in sorted(batch.inputs)), *batch[1:]):
                found.update(f"{array.dtype} {array.shape}".encode())
                found.update(np.ascontiguousarray(array).tobytes())
        found.update(repr(list(source.examples.references)).encode())
    return found.hexdigest()[:16]


@pytest.mark.parametrize("name", DATA)
def test_batches_are_what_they_were(name, tmp_path):
    name, settings, expected = DATA[name]
    task = load_task(name)
    found = digest(task, resolve_config(task, None, settings(tmp_path / "data")), tmp_path)
    assert expected in (found, None)


@pytest.mark.parametrize("name", PREPARED)
def test_prepared_data_give_the_same_batches(name, tmp_path):
    name, settings, expected = PREPARED[name]
    task, given = load_task(name), settings(tmp_path / "data")
    config = resolve_config(task, None, given)
    prepare(task, config, tmp_path / "prepared")
    kept = {key: value for key, value in given.items() if not key.startswith("data.")}
    again = resolve_config(task, None, {**kept, "data.source": str(tmp_path / "prepared")})
    found = digest(task, again, tmp_path)
    assert found == (expected or digest(task, config, tmp_path))

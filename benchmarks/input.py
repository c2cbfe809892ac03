"""Measures input pipelines in images per second: this engine, plain `tf.data`, and Grain.

    python benchmarks/input.py [--size 224] [--images 2048] [--batch 64] [--cores 2]

Decodes, resizes, shuffles and batches JPEG files in class folders, without training. **lsk**
is the training split as `fit` receives it (`lsk_engine.data.datasets`), **one** the same with
one batch at a time, **tf.data** `map(decode, num_parallel_calls)` with TensorFlow's decoder, and
**grain** a `MapDataset` that reads with Pillow in threads. On TensorFlow, it also measures how long
steps that take 1.5 times as long as a batch wait for data.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image


def write_pictures(folder: Path, count: int, side: int) -> None:
    """Writes JPEG files of smooth noise, a quarter larger than `side`."""
    rng = np.random.default_rng(0)
    for split, number in (("train", count), ("test", 8)):
        for i in range(number):
            coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
            place = folder / split / f"class{i % 4}"
            place.mkdir(parents=True, exist_ok=True)
            picture = coarse.resize((side * 5 // 3, side * 5 // 4), Image.Resampling.BICUBIC)
            picture.save(place / f"{i:05}.jpg", quality=90)


def rate(batches: Iterable, images: int, wait: float = 0.0) -> tuple[float, float]:
    """Returns images a second, and the seconds that were waited, after the first batch."""
    iterator = iter(batches)
    next(iterator)
    start, waited, seen = time.perf_counter(), 0.0, 0
    while True:
        asked = time.perf_counter()
        batch = next(iterator, None)
        waited += time.perf_counter() - asked
        if batch is None:
            break
        seen += images
        time.sleep(wait)
    return seen / (time.perf_counter() - start), waited


def of_lsk(folder: Path, size: int, batch: int, workers: int | None) -> tuple[Callable, int]:
    """Returns what gives the engine's batches, and how many there are."""
    from lsk_engine.data.datasets import as_dataset, training_source
    from lsk_engine.settings.resolving import resolve_config
    from lsk_engine.tasks.registry import load_task
    from lsk_image.formats import image_store

    image_store.IN_MEMORY = 0  # as for data larger than memory
    task = load_task("image")
    settings = {"data.source": str(folder), "data.size": size, "training.batch_size": batch}
    config = resolve_config(task, None, {**settings, "training.drop_remainder": True})
    source = training_source(config, task.load_data(config))
    if workers is not None:
        type(source.examples).workers = workers
    steps = source.steps_per_epoch

    return lambda: as_dataset(source, 0, steps), steps


def rate_of_predict(batches) -> float:
    """Returns images a second where only Keras gathers ahead: of a model that does next to nothing.

    Compiling it and the first batches are counted, too.
    """
    import keras

    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    few = keras.layers.GlobalAveragePooling2D()(image[:, ::64, ::64])
    model = keras.Model({"image": image}, few)
    start = time.perf_counter()
    seen = len(model.predict(batches, verbose=0))
    return seen / (time.perf_counter() - start)


def of_tf(folder: Path, size: int, batch: int):
    """Returns plain `tf.data`."""
    import tensorflow as tf

    files = sorted(str(file) for file in folder.glob("train/*/*.jpg"))
    order = np.random.default_rng(0).permutation(len(files))

    def decode(name):
        image = tf.io.decode_jpeg(tf.io.read_file(name), channels=3)
        side = tf.reduce_min(tf.shape(image)[:2])
        image = tf.image.resize_with_crop_or_pad(image, side, side)
        return tf.cast(tf.image.resize(image, (size, size)), tf.uint8)

    names = tf.data.Dataset.from_tensor_slices([files[i] for i in order])
    images = names.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return images.batch(batch, drop_remainder=True).prefetch(2)


def of_grain(folder: Path, size: int, batch: int, threads: int):
    """Returns a Grain data set."""
    import grain.python as grain

    from lsk_image.formats.image_store import decode_image

    files = sorted(folder.glob("train/*/*.jpg"))
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=4 * batch)
    source = grain.MapDataset.source(files).seed(0).shuffle()
    images = source.map(lambda file: decode_image(file.read_bytes(), str(file), size))
    return images.to_iter_dataset(options).batch(batch, drop_remainder=True)


def main() -> None:
    """Reads the command line, and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: options.cores])
    import keras

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder, options.images, options.size)
        print(f"{options.images:,} JPEG files, {options.cores} cores, {keras.config.backend()}")
        found = {}
        for what, workers in (("one", 1), ("lsk", options.cores)):
            batches, steps = of_lsk(folder, options.size, options.batch, workers)
            if keras.config.backend() == "tensorflow":
                found[what], _ = rate(batches(), options.batch)
            else:
                found[what] = rate_of_predict(batches())
        found["tf.data"], _ = rate(of_tf(folder, options.size, options.batch), options.batch)
        try:
            grain = of_grain(folder, options.size, options.batch, 2 * options.cores)
            found["grain"], _ = rate(grain, options.batch)
        except ImportError as error:
            print(f"grain: not installed ({error})")
        for what, images in found.items():
            print(f"{what}: {images:.0f} images/s")
        if keras.config.backend() != "tensorflow":
            return
        step = 1.5 * options.batch / found["lsk"]
        _, waited = rate(batches(), options.batch, wait=step)
        print(f"steps of {step * 1000:.0f} ms wait {waited / (steps - 1) * 1000:.1f} ms each")


if __name__ == "__main__":
    main()

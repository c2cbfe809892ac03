"""Compares the speed of `lsk` with that of a plain `model.fit`: same network, images, optimizer.

    python benchmarks/images.py [--preset mnist-mlp-teacher] [--set model.width=400] [--rounds 4]

**bare** is `model.fit(images, labels, batch_size=…)` on arrays in memory, with Keras's own
cross-entropy. **lsk** is an epoch of `lsk_engine.training.train`: batches as a function of the
step, weights, the smoothed loss, progress, checkpoints. Images are random, batches complete, and
the first epoch of each is discarded. The two alternate. Prints the fastest epoch of each and the
median ratio of neighboring epochs, in wall time and in CPU time (which depends less on other
processes).
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from lsk_engine.data.datasets import as_dataset, training_source
from lsk_engine.devices.xla import jit_compile
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.contract import TaskData
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.checkpointing import CheckpointEvery
from lsk_engine.training.divergence import DivergenceMonitor
from lsk_engine.training.optimizers import build_optimizer
from lsk_engine.training.signals import StopRequest
from lsk_engine.training.training_log import TrainingLog
from lsk_image.data import Images
from lsk_image.formats.image_store import ArrayPixels, LabeledImages
from lsk_image.task import ImageTask

SHAPES = {"mnist": (28, 28, 1), "cifar": (32, 32, 3), "digits": (8, 8, 1)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="mnist-mlp-teacher")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=100, help="steps an epoch")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    overrides = dict(setting.split("=", 1) for setting in options.set)
    config = resolve_config(ImageTask(), options.preset, overrides)
    data = random_data(config, options.steps)
    with tempfile.TemporaryDirectory() as folder:
        epochs = {
            "bare": bare(config, data),
            "lsk": lsk(config, data, options.rounds + 1, Path(folder) / "run"),
        }
        for epoch in epochs.values():
            epoch()  # traces
        rounds = [
            {name: timed(epoch) for name, epoch in epochs.items()} for _ in range(options.rounds)
        ]
    result = {
        "preset": options.preset,
        "backend": keras.config.backend(),
        "batch": config.training.batch_size,
    }
    for i, clock in enumerate(("wall", "processor")):
        pairs = [(turn["bare"][i], turn["lsk"][i]) for turn in rounds]
        fastest = [min(times) for times in zip(*pairs, strict=True)]
        median = statistics.median(ours / bare for bare, ours in pairs)
        result[clock] = {
            "bare, ms a step": round(1e3 * fastest[0] / options.steps, 3),
            "lsk, ms a step": round(1e3 * fastest[1] / options.steps, 3),
            "overhead of the fastest, %": round(100 * (fastest[1] / fastest[0] - 1), 2),
            "median overhead, %": round(100 * (median - 1), 2),
        }
    print(json.dumps(result, indent=1))


def random_data(config: Config, steps: int) -> TaskData:
    count = config.training.batch_size * steps
    rng = np.random.default_rng(0)
    shape = SHAPES[config.preset.partition("-")[0].rstrip("0123456789")]
    pixels = ArrayPixels(rng.integers(0, 256, (count, *shape), dtype=np.uint8), "random")
    images = Images(LabeledImages(pixels, rng.integers(0, 10, count), "random"))
    names = [str(i) for i in range(10)]
    return TaskData({"train": images}, 10, None, names, np.bincount(images.labels))


def bare(config: Config, data: TaskData) -> Callable[[], object]:
    model = ImageTask().build_model(config, data)
    model.compile(
        build_optimizer(config.optimizer, 10**6),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile(config),
    )
    inputs, labels = data.splits["train"].gather(np.arange(len(data.splits["train"])), None)
    return lambda: model.fit(
        inputs, labels, batch_size=config.training.batch_size, shuffle=True, verbose=0
    )


def lsk(config: Config, data: TaskData, epochs: int, folder: Path) -> Callable[[], object]:
    model = ImageTask().build_model(config, data)
    model.compile(
        build_optimizer(config.optimizer, 10**6),
        build_loss(config, data, reduction="sum"),
        jit_compile=jit_compile(config),
    )
    source = training_source(config, data)
    total = epochs * source.steps_per_epoch
    run = RunDirectory.create(folder, config.to_dict())
    checkpoints = Checkpoints(run.checkpoints)
    watch = DivergenceMonitor(run, checkpoints)
    log = TrainingLog(run, Reporter(verbosity=0), source, 0, total, "images", watch)
    saver = CheckpointEvery(
        checkpoints,
        config.training.checkpoint_every,
        step=0,
        total=total + 1,
        steps_per_epoch=source.steps_per_epoch,
        stop_requested=StopRequest(),
        watch=watch,
    )

    def epoch() -> None:
        number, step = saver.step // source.steps_per_epoch, saver.step
        fitted = model.fit(
            as_dataset(source, step, step + source.steps_per_epoch),
            initial_epoch=number,
            epochs=number + 1,
            steps_per_epoch=source.steps_per_epoch,
            callbacks=[log, saver],
            shuffle=False,
            verbose=0,
        )
        log.end_epoch(number, fitted.history["loss"][-1], {})
        saver.end_epoch()

    return epoch


def timed(epoch: Callable[[], object]) -> tuple[float, float]:
    """Returns the seconds that an epoch takes, by the clock and of processor time."""
    start = time.perf_counter(), time.process_time()
    epoch()
    return time.perf_counter() - start[0], time.process_time() - start[1]


if __name__ == "__main__":
    main()

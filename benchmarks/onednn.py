"""Tests which networks train reproducibly with oneDNN on a CPU, and measures its speedup.

    python benchmarks/onednn.py [--steps 20] [--repeats 4] [--network resnet8 …]

Trains each network in separate processes, `--repeats` times with oneDNN and without, for `--steps`
steps from the same seed. Every other process shares the cores with busy threads, to reveal effects
of thread scheduling. Prints the number of different results (1: reproducible, so a resumed run can
be exact) and the median time per step of the processes without busy threads.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

IMAGES = {"mnist": (28, 28, 1), "cifar": (32, 32, 3), "inception": (299, 299, 3)}
NETWORKS = {
    "mlp": ("image", "mnist-mlp-teacher", {}, "mnist"),
    "alexnet": ("image", "cifar10-alexnet", {}, "cifar"),
    "resnet8": ("image", "cifar10-resnet56", {"model.name": "resnet8"}, "cifar"),
    "resnet20": ("image", "cifar10-resnet56", {"model.name": "resnet20"}, "cifar"),
    "inception-v3": (
        "image",
        "imagenet-inception-v3",
        {"training.batch_size": 4, "data.random_resized_crop": False},
        "inception",
    ),
    "transformer": ("translation", "cldr-small", {"data.max_train_examples": 2000}, None),
    "bilstm-attention": ("speech", "spoken-words", {"data.max_train_examples": 60}, None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(train(options.child, options.steps)))
        return
    print(f"{'':18}{'without oneDNN':>26}{'with oneDNN':>26}")
    print(f"{'network':<18}" + 2 * f"{'results':>12}{'ms/step':>14}")
    for network in options.network:
        line = f"{network:<18}"
        for onednn in "01":
            found = [run(network, options.steps, onednn, r % 2) for r in range(options.repeats)]
            different = len({one["sha256"] for one in found})
            alone = statistics.median(one["ms"] for one in found[::2])
            line += f"{different:>12}{alone:>14.1f}"
        print(line, flush=True)


def run(network: str, steps: int, onednn: str, company: bool) -> dict:
    command = [sys.executable, __file__, "--child", network, "--steps", str(steps)]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn, "TF_CPP_MIN_LOG_LEVEL": "3"}
    busy = [multiprocessing.Process(target=spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in busy if company else []:
        process.start()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    for process in busy if company else []:
        process.kill()
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def spin() -> None:
    while True:
        pass


def train(network: str, steps: int) -> dict:
    import keras
    import numpy as np

    from lsk_engine.data.datasets import training_source
    from lsk_engine.settings.resolving import resolve_config
    from lsk_engine.tasks.contract import TaskData
    from lsk_engine.tasks.loss import build_loss
    from lsk_engine.tasks.registry import load_task
    from lsk_engine.training.optimizers import build_optimizer

    name, preset, settings, shape = NETWORKS[network]
    task = load_task(name)
    config = resolve_config(task, preset, settings)
    keras.utils.set_random_seed(0)
    if shape is None:
        data = task.load_data(config)
    else:
        from lsk_image.data import Images
        from lsk_image.formats.image_store import ArrayPixels, LabeledImages

        rng = np.random.default_rng(0)
        count = 4 * config.training.batch_size
        pixels = rng.integers(0, 256, (count, *IMAGES[shape]), dtype=np.uint8)
        labels = rng.integers(0, 10, count)
        images = Images(LabeledImages(ArrayPixels(pixels, "random"), labels, "random"))
        classes = [str(k) for k in range(10)]
        data = TaskData({"train": images}, 10, None, classes, np.bincount(labels, minlength=10))
    model = task.build_model(config, data)
    model.compile(build_optimizer(config.optimizer, 1000), build_loss(config, data, "sum"))
    source = training_source(config, data)
    times = []
    for step in range(steps):
        batch = source.batch(step)
        start = time.perf_counter()
        model.train_on_batch(batch.inputs, batch.labels, batch.sample_weight)
        times.append(time.perf_counter() - start)
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return {"sha256": digest.hexdigest(), "ms": 1e3 * statistics.median(times[steps // 4 :])}


if __name__ == "__main__":
    main()

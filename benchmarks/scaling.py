"""Measures training steps on several devices, and models the speed of many.

    python benchmarks/scaling.py [--ways one-device mirrored …] [--steps 20]
    python benchmarks/scaling.py --model

Trains a Transformer encoder (tokens/s) and a small convolutional network (images/s) with the same
global batch on one and several devices. If the devices share cores, as logical CPUs and local
processes do, the difference is the overhead of distribution.
"""

import argparse
import json
import os
import subprocess
import sys
import time

WAYS = {
    "one-device": "tensorflow",
    "mirrored": "tensorflow",
    "workers": "tensorflow",
    "jax-one-device": "jax",
    "jax-2-devices": "jax",
}
TOKENS, VOCABULARY, WIDTH = 32, 2000, 64
ROWS = {"tokens": 32, "images": 32}


def ring_seconds(devices: int, size: float, bandwidth: float, latency: float) -> float:
    """Returns the seconds that summing `size` bytes over a ring of devices takes.

    Args:
        devices: P.
        size: Bytes of gradients on each device.
        bandwidth: Bytes per second of a link, in each direction.
        latency: Seconds per message.
    """
    return 2 * (devices - 1) / devices * size / bandwidth + 2 * (devices - 1) * latency


def step_seconds(compute: float, ring: float, overlap: float = 0.0) -> float:
    """Returns the seconds of a step; the share `overlap` of `compute` hides the summing."""
    return compute + max(0.0, ring - overlap * compute)


def modeled() -> None:
    """Prints the model: figures of one H100 at 35 % of its 989 Tflop/s of bfloat16."""
    speed = 0.35 * 989e12
    links = {8: ("NVLink", 3e11, 5e-6), 256: ("400 Gbit/s a GPU", 4e10, 1e-5)}
    # name, parameters, flop an example (forward and backward), examples a device, unit
    cases = (
        ("wmt14-base", 65e6, 6 * 65e6, 4096, "tokens"),
        ("wmt14-base, 4 parts", 65e6, 6 * 65e6, 16384, "tokens"),
        ("ResNet-50", 25.6e6, 3 * 2 * 4.1e9, 128, "images"),
    )
    print("| model, a device's part of a batch | devices | link | C | R | efficiency | speed |")
    print("|---|---|---|---|---|---|---|")
    for name, parameters, flop, rows, unit in cases:
        for devices, (link, bandwidth, latency) in links.items():
            compute = rows * flop / speed
            ring = ring_seconds(devices, 4 * parameters, bandwidth, latency)
            step = step_seconds(compute, ring)
            print(
                f"| {name}, {rows:,} {unit} | {devices} | {link} | {compute * 1e3:.1f} ms | "
                f"{ring * 1e3:.1f} ms | {compute / step:.0%} | "
                f"{devices * rows / step:,.3g} {unit}/s |"
            )


def build(kind: str):
    import keras
    from keras import layers

    if kind == "tokens":
        inputs = keras.Input((TOKENS,), dtype="int32")
        x = layers.Embedding(VOCABULARY, WIDTH)(inputs)
        for _ in range(2):
            x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, WIDTH // 4)(x, x))
            inner = layers.Dense(4 * WIDTH, "relu")(x)
            x = layers.LayerNormalization()(x + layers.Dense(WIDTH)(inner))
        return keras.Model(inputs, layers.Dense(VOCABULARY, name="logits")(x))
    inputs = keras.Input((32, 32, 3))
    x = inputs
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def measure(way: str, steps: int) -> dict[str, float]:
    """Returns examples a second of this process's way, by kind."""
    import keras
    import numpy as np

    if way == "mirrored":
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
        )
    from ls_keras import SmoothedCE
    from lsk_engine.data.batches import BatchSource
    from lsk_engine.data.datasets import as_dataset
    from lsk_engine.devices import strategy
    from lsk_engine.devices.keras_patches import patch_for_strategy
    from lsk_engine.devices.processes import join
    from lsk_engine.devices.replicas import distribute_dataset, num_shards, process_shard
    from lsk_engine.tasks.contract import Examples

    class Random(Examples):
        def __init__(self, kind: str):
            rng = np.random.default_rng(0)
            count = ROWS[kind] * 4
            if kind == "tokens":
                self.x = self.y = rng.integers(0, VOCABULARY, (count, TOKENS)).astype("int32")
            else:
                self.x = rng.normal(size=(count, 32, 32, 3)).astype("float32")
                self.y = rng.integers(0, 10, count).astype("int32")

        def __len__(self):
            return len(self.x)

        def gather(self, rows, size):
            return {"x": self.x[rows]}, self.y[rows]

        def label_counts(self):
            return np.full(len(self.x), self.y[0].size)

    join()
    name = {"mirrored": "mirrored", "jax-2-devices": "data-parallel"}.get(way, "auto")
    found = {}
    for kind in ROWS:
        keras.utils.set_random_seed(0)
        with strategy.choose_strategy(name).scope:
            core = build(kind)
            model = keras.Model({"x": core.inputs[0]}, core.outputs[0])
            loss = SmoothedCE(0.1, from_logits=True, reduction="sum")
            jit = keras.config.backend() == "jax"
            model.compile("adam", loss, jit_compile=jit)
            patch_for_strategy(model)
            source = BatchSource(
                Random(kind), ROWS[kind], replicas=num_shards(), shard=process_shard()
            )
            for count in (3, steps):  # the first compiles
                start = time.perf_counter()
                batches = distribute_dataset(as_dataset(source, 0, count))
                model.fit(batches, steps_per_epoch=count, shuffle=False, verbose=0)
                seconds = time.perf_counter() - start
        found[kind] = steps * ROWS[kind] * (TOKENS if kind == "tokens" else 1) / seconds
    return found


def measured(way: str, steps: int) -> dict[str, float]:
    """Measures in processes of their own."""
    from lsk_engine.devices.local_workers import free_addresses
    from lsk_engine.devices.process_env import TF_CONFIG, tf_config

    environment = {**os.environ, "KERAS_BACKEND": WAYS[way], "TF_CPP_MIN_LOG_LEVEL": "3"}
    environments = [environment]
    if way == "jax-2-devices":
        environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    if way == "workers":
        addresses = free_addresses(2)
        environments = [{**environment, TF_CONFIG: tf_config(addresses, i)} for i in range(2)]
    command = [sys.executable, __file__, "--here", way, "--steps", str(steps)]
    processes = [
        subprocess.Popen(
            command, env=one, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for one in environments
    ]
    said = [process.communicate() for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("".join(errors for _, errors in said))
    return json.loads(said[0][0].splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--model", action="store_true", help="the model of many devices, alone")
    parser.add_argument("--here", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.model:
        modeled()
    elif options.here:
        print(json.dumps(measure(options.here, options.steps)))
    else:
        print("| | tokens/s | images/s |\n|---|---|---|")
        for way in options.ways:
            found = measured(way, options.steps)
            print(f"| {way} | {found['tokens']:,.0f} | {found['images']:,.0f} |", flush=True)


if __name__ == "__main__":
    main()

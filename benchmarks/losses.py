"""Times SmoothedCE on integer labels against Keras's one-hot loss and PyTorch's, on the CPU.

    python benchmarks/losses.py [--quick] [--out losses.json]

One step is the loss and its gradient with respect to the logits, mean-reduced, float32, alpha 0.1.
Keras's step makes its one-hot targets from integer labels, as a training step has to. Every
measurement runs in a process of its own: the median time of a step, and the peak of resident
memory above what the process held before (inputs included, so the gradient counts and the logits
don't). Of several rounds the fastest counts; memory is the same in each. Linux only.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ALPHA = 0.1
SIZES = [(4096, 1000), (4096, 8000), (4096, 32000)]
CASES = [
    ("SmoothedCE", "uncompiled"),
    ("Keras one-hot", "uncompiled"),
    ("PyTorch", "uncompiled"),
    ("SmoothedCE", "XLA"),
    ("Keras one-hot", "XLA"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smallest size only")
    parser.add_argument("--rounds", type=int, default=3, help="processes a measurement (3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for every library")
    parser.add_argument("--out", type=Path, help="write the results here as JSON")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        implementation, mode, rows, classes = args.worker
        result = measure(implementation, mode, int(rows), int(classes), args.threads)
        print(json.dumps(result))
        return
    results = compare(SIZES[:1] if args.quick else SIZES, args)
    if args.out:
        report = {"processor": platform.processor(), "threads": args.threads, "results": results}
        args.out.write_text(json.dumps(report, indent=2) + "\n")


def compare(sizes: list[tuple[int, int]], args) -> list[dict]:
    results = []
    print(f"{'N × K':>14}  {'mode':10}  {'implementation':14}  {'ms':>8}  {'peak MiB':>8}  of N×K")
    for rows, classes in sizes:
        runs: dict = {case: [] for case in CASES}
        for _ in range(args.rounds):  # Interleaved, so that a slow minute of the machine hits all.
            for case in CASES:
                runs[case].append(run_worker(*case, rows, classes, args.threads))
        for (implementation, mode), measured in runs.items():
            best = min(measured, key=lambda result: result["milliseconds"])
            best["peak_mib"] = statistics.median(result["peak_mib"] for result in measured)
            results.append(best)
            print(
                f"{rows:>6} × {classes:<5}  {mode:10}  {implementation:14}  "
                f"{best['milliseconds']:8.1f}  {best['peak_mib']:8.1f}  "
                f"{best['peak_mib'] * 2**20 / (4 * rows * classes):6.2f}",
                flush=True,
            )
    return results


def run_worker(implementation: str, mode: str, rows: int, classes: int, threads: int) -> dict:
    command = [sys.executable, __file__, "--threads", str(threads)]
    command += ["--worker", implementation, mode, str(rows), str(classes)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(implementation: str, mode: str, rows: int, classes: int, threads: int) -> dict:
    import numpy as np

    make_step = torch_step if implementation == "PyTorch" else keras_step
    step, to_tensor = make_step(implementation, mode, classes, threads)
    rng = np.random.default_rng(0)
    logits = np.empty((rows, classes), "float32")
    rng.standard_normal(out=logits, dtype="float32")
    logits, labels = to_tensor(logits), to_tensor(rng.integers(0, classes, rows))

    step(labels[:8], logits[:8])  # Libraries set themselves up: threads, kernels.
    baseline = resident_mib()
    loss = float(step(labels, logits)[0])  # Traces and compiles.
    resident_mib()
    Path("/proc/self/clear_refs").write_text("5")  # Resets the peak: compiling is not the loss.
    seconds: list[float] = []
    while len(seconds) < 7 or (sum(seconds) < 3 and len(seconds) < 50):
        start = time.perf_counter()
        value, gradient = step(labels, logits)
        float(value)
        del gradient
        seconds.append(time.perf_counter() - start)
    return {
        "implementation": implementation,
        "mode": mode,
        "rows": rows,
        "classes": classes,
        "milliseconds": 1e3 * statistics.median(seconds),
        "peak_mib": status_mib("VmHWM") - baseline,
        "loss": loss,
    }


def keras_step(implementation: str, mode: str, classes: int, threads: int):
    import keras
    import tensorflow as tf

    import ls_keras

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if implementation == "SmoothedCE":
        loss = ls_keras.SmoothedCE(ALPHA, from_logits=True)
    else:
        one_hot_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=ALPHA)

        def loss(labels, logits):
            return one_hot_loss(keras.ops.one_hot(labels, classes), logits)

    @tf.function(jit_compile=mode == "XLA")
    def step(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    return step, tf.constant


def torch_step(implementation: str, mode: str, classes: int, threads: int):
    import torch

    torch.set_num_threads(threads)

    def step(labels, logits):
        logits = logits.detach().requires_grad_()
        value = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=ALPHA)
        return value, torch.autograd.grad(value, logits)[0]

    return step, torch.tensor


def resident_mib() -> float:
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return status_mib("VmRSS")


def status_mib(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


if __name__ == "__main__":
    main()

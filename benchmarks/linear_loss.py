"""Times smoothed cross-entropy of a last layer, fused and not, beside PyTorch's, on the CPU.

    python benchmarks/linear_loss.py [--quick] [--threads 2] [--out linear_loss.json]

One step is the loss of `hidden @ kernel` on integer labels and its gradients with respect to both,
mean-reduced, float32, alpha 0.1. Every measurement runs in a process of its own: the fastest step,
and the peak of resident memory above what the process held before the call (hidden states and
kernel included, so that their gradients count). Of several rounds the fastest counts; of memory,
the median. Cut Cross-Entropy (its PyTorch variant, which has no smoothing) is measured where it is
installed. The table is in Markdown. Linux only.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from losses import resident_mib, status_mib

ALPHA = 0.1
SIZES = [(4096, 512, 32000)]
QUICK = [(512, 128, 8000)]
FUSED, UNFUSED = "linear_smoothed_ce", "SmoothedCE of logits"
TORCH, CUT = "PyTorch's cross_entropy", "Cut Cross-Entropy, no smoothing"
MODES = {"TensorFlow": "tensorflow", "TensorFlow, XLA": "tensorflow", "JAX": "jax"}
CASES = [(name, mode) for mode in (*MODES, "PyTorch") for name in (FUSED, UNFUSED)]
CASES += [(TORCH, "PyTorch"), (CUT, "PyTorch")]
PACKAGES = ("keras", "tensorflow", "jax", "torch", "cut-cross-entropy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small size")
    parser.add_argument("--rounds", type=int, default=3, help="processes a measurement (3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for every library")
    parser.add_argument("--modes", nargs="+", default=[*MODES, "PyTorch"], help="these alone")
    parser.add_argument("--chunk-size", type=int, help="tokens at once (the library's default)")
    parser.add_argument("--out", type=Path, help="write the results here as JSON")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        name, mode, *size = args.worker
        print(json.dumps(measure(name, mode, tuple(map(int, size)), args)))
        return
    cases = [case for case in CASES if case[1] in args.modes]
    if importlib.util.find_spec("cut_cross_entropy") is None:
        print("Cut Cross-Entropy is not installed: not measured.")
        cases = [case for case in cases if case[0] != CUT]
    results = [r for size in (QUICK if args.quick else SIZES) for r in compare(size, cases, args)]
    if args.out:
        report = {"processor": platform.processor(), "threads": args.threads}
        report |= {"versions": versions(), "results": results}
        args.out.write_text(json.dumps(report, indent=2) + "\n")


def compare(size: tuple, cases: list, args) -> list[dict]:
    runs: dict = {case: [] for case in cases}
    for _ in range(args.rounds):  # Interleaved, so that a slow minute of the machine hits all.
        for case in cases:
            runs[case].append(run_worker(*case, size, args))
    tokens, features, classes = size
    print(
        f"\n{tokens:,} tokens × {features} features → {classes:,} classes, {args.threads} threads"
    )
    print("\n| | | ms | MiB | time | memory |\n|---|---|---|---|---|---|")
    results = []
    for measured in runs.values():
        best = min(measured, key=lambda result: result["milliseconds"])
        best["peak_mib"] = statistics.median(result["peak_mib"] for result in measured)
        results.append(best)
    for best in results:
        (peer,) = (r for r in results if r["mode"] == best["mode"] and r["name"] == UNFUSED)
        print(
            f"| {best['mode']} | {best['name']} | {best['milliseconds']:,.0f} | "
            f"{best['peak_mib']:,.0f} | {best['milliseconds'] / peer['milliseconds']:.2f} | "
            f"{best['peak_mib'] / peer['peak_mib']:.2f} |",
            flush=True,
        )
    return results


def run_worker(name: str, mode: str, size: tuple, args) -> dict:
    command = [sys.executable, __file__, "--threads", str(args.threads)]
    if args.chunk_size:
        command += ["--chunk-size", str(args.chunk_size)]
    command += ["--worker", name, mode, *map(str, size)]
    threads = str(args.threads)
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": MODES.get(mode, "torch"),
        "OMP_NUM_THREADS": threads,
    }
    if mode == "JAX":  # which takes its threads from the cores that it may use
        command = ["taskset", "--cpu-list", f"0-{args.threads - 1}", *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, mode: str, size: tuple, args) -> dict:
    import numpy as np

    tokens, features, classes = size
    make = {"PyTorch": torch_step, "JAX": jax_step}.get(mode, tensorflow_step)
    step, to_tensor = make(name, mode, args)
    rng = np.random.default_rng(0)
    hidden = to_tensor(rng.standard_normal((tokens, features), dtype="float32"))
    kernel = rng.standard_normal((features, classes), dtype="float32")
    kernel = to_tensor(kernel / np.float32(features**0.5))
    labels = to_tensor(rng.integers(0, classes, tokens).astype("int32"))

    step(labels[:8], hidden[:8], kernel)  # Libraries set themselves up: threads, kernels.
    baseline = resident_mib()
    loss = float(step(labels, hidden, kernel)[0])  # Traces and compiles.
    resident_mib()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak: compiling is not the loss
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < 5 and len(seconds) < 20):
        start = time.perf_counter()
        value, gradients = step(labels, hidden, kernel)
        float(value)
        [np.asarray(gradient[:1, :1]) for gradient in gradients]  # JAX doesn't wait by itself
        seconds.append(time.perf_counter() - start)
        del gradients
    return {
        "name": name,
        "mode": mode,
        "size": size,
        "milliseconds": 1e3 * min(seconds),
        "peak_mib": status_mib("VmHWM") - baseline,
        "loss": loss,
    }


def loss_of(name: str, args):
    """Returns ours as a function of labels, hidden states and kernel."""
    import keras

    import ls_keras

    if name == FUSED:
        return lambda labels, hidden, kernel: ls_keras.linear_smoothed_ce(
            labels, hidden, kernel, alpha=ALPHA, chunk_size=args.chunk_size
        )
    loss = ls_keras.SmoothedCE(ALPHA, from_logits=True)
    return lambda labels, hidden, kernel: loss(labels, keras.ops.matmul(hidden, kernel))


def tensorflow_step(name: str, mode: str, args):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    loss = loss_of(name, args)

    @tf.function(jit_compile="XLA" in mode)
    def step(labels, hidden, kernel):
        with tf.GradientTape() as tape:
            tape.watch((hidden, kernel))
            value = loss(labels, hidden, kernel)
        return value, tape.gradient(value, (hidden, kernel))

    return step, tf.constant


def jax_step(name: str, mode: str, args):
    import jax

    loss = loss_of(name, args)

    @jax.jit
    def step(labels, hidden, kernel):
        return jax.value_and_grad(lambda h, k: loss(labels, h, k), (0, 1))(hidden, kernel)

    return step, jax.numpy.asarray


def torch_step(name: str, mode: str, args):
    import torch

    torch.set_num_threads(args.threads)
    if name == TORCH:

        def loss(labels, hidden, kernel):
            return torch.nn.functional.cross_entropy(
                hidden @ kernel, labels.long(), label_smoothing=ALPHA
            )

    elif name == CUT:
        from cut_cross_entropy import linear_cross_entropy

        def loss(labels, hidden, kernel):
            return linear_cross_entropy(hidden, kernel.t(), labels.long(), impl="torch_compile")

    else:
        loss = loss_of(name, args)

    def step(labels, hidden, kernel):
        hidden, kernel = (x.detach().requires_grad_() for x in (hidden, kernel))
        value = loss(labels, hidden, kernel)
        return value.detach(), torch.autograd.grad(value, (hidden, kernel))

    return step, torch.tensor


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


if __name__ == "__main__":
    main()

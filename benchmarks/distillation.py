"""Times a training step of distillation: cached logits, the teacher beside, Keras's Distiller.

    python benchmarks/distillation.py [--quick] [--out distillation.json]

Teacher and student are perceptrons on random images of 784 pixels, of the paper's sizes (2 × 1200
and 2 × 800), 10 and 1,000 classes, batches of 256, SGD. β = 1, T = 4 for teacher and student, so
that Keras's (KL · T², given as an object) has the same gradients up to that factor. `student alone`
is SmoothedCE, for what any teacher costs. Data lie in memory; the cache is memory-mapped float16,
read anew in each batch. Each case runs in a process of its own, in turn; the median step of the
fastest round counts, by the clock and in processor time, which other work on the machine hardly
changes.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH, STEPS, PIXELS = 256, 40, 784
CASES = ("student alone", "cached logits", "teacher beside", "Keras's Distiller")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10 classes, one round")
    parser.add_argument("--rounds", type=int, default=3, help="processes a measurement (3)")
    parser.add_argument("--out", type=Path, help="write the results here as JSON")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(measure(args.worker[0], int(args.worker[1]))))
        return
    results = []
    print(f"{'classes':>8}  {'case':18}  {'ms/step':>10}  {'CPU ms/step':>14}")
    for classes in (10,) if args.quick else (10, 1000):
        rounds: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
        for _ in range(1 if args.quick else args.rounds):
            for case in CASES:  # interleaved, so that a slow minute of the machine hits all
                rounds[case].append(run_worker(case, classes))
        for case, times in rounds.items():
            wall, processor = (min(of_kind) for of_kind in zip(*times, strict=True))
            result = {"milliseconds": wall, "processor_milliseconds": processor}
            results.append({"classes": classes, "case": case, **result})
            print(f"{classes:>8}  {case:18}  {wall:10.2f}  {processor:14.2f}", flush=True)
    if args.out:
        report = {"processor": platform.processor(), "cores": os.cpu_count(), "results": results}
        args.out.write_text(json.dumps(report, indent=2) + "\n")


def run_worker(case: str, classes: int) -> tuple[float, float]:
    command = [sys.executable, __file__, "--worker", case, str(classes)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def measure(case: str, classes: int) -> tuple[float, float]:
    """Returns the median time of a step by the clock and of all processors, ms."""
    import keras
    import numpy as np

    import ls_keras

    rng = np.random.default_rng(0)
    x = rng.random((BATCH * STEPS, PIXELS), dtype="float32")
    y = rng.integers(0, classes, len(x))

    def network(width):
        hidden = [keras.layers.Dense(width, activation="relu") for _ in range(2)]
        return keras.Sequential([keras.Input((PIXELS,)), *hidden, keras.layers.Dense(classes)])

    student, teacher = network(800), network(1200)
    temperatures = {"teacher_temperature": 4.0, "student_temperature": 4.0}
    inputs = None
    if case == "student alone":
        model = student
        model.compile("sgd", loss=ls_keras.SmoothedCE(0.1, from_logits=True))
    elif case == "cached logits":
        folder = Path(tempfile.mkdtemp()) / "logits"
        cache = ls_keras.TeacherLogits.compute(folder, teacher, (x, y), batch_size=BATCH)
        inputs = cache.gather
        model = ls_keras.Distiller(student, **temperatures)
        model.compile("sgd")
    elif case == "teacher beside":
        model = ls_keras.Distiller(student, teacher, **temperatures)
        model.compile("sgd")
    else:
        divergence = keras.distillation.LogitsDistillation(4.0, loss=keras.losses.KLDivergence())
        model = keras.distillation.Distiller(
            teacher, student, distillation_losses=divergence, student_loss_weight=0.0
        )
        model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return STEPS

        def __getitem__(self, index):
            rows = np.arange(index * BATCH, (index + 1) * BATCH)
            return (x[rows] if inputs is None else (x[rows], inputs(rows))), y[rows]

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.times: list[tuple[float, float]] = []

        def on_train_batch_end(self, batch, logs=None):
            self.times.append((time.perf_counter(), time.process_time()))

    clock = Clock()
    model.fit(Batches(), epochs=2, shuffle=False, verbose=0, callbacks=[clock])
    last = clock.times[STEPS:]  # the second epoch: nothing is compiled in it
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(last)]
    wall, processor = (1e3 * statistics.median(of_kind) for of_kind in zip(*steps, strict=True))
    return wall, processor


if __name__ == "__main__":
    main()

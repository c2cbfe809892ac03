"""Temperature fits and ECE: time, peak memory and error, on the same arrays, in one run.

    python benchmarks/calibration.py [--quick] [--only ece] [--out results.json]

Each competitor runs in a process of its own, which loads the arrays, calls the competitor once on
64 rows, and then times the call alone. `peak` is the highest resident memory during the first
call, above that before it. Logits are known to be calibrated at T = 2; `error` is the relative
distance from the optimum of T on the sample, which SciPy's root finder takes from float64
derivatives. `× NumPy` compares the best of all rounds with that of one plain NumPy pass, which
takes turns with the competitor: what else the machine does meets both.
Needs scikit-learn, netcal, PyTorch and torchmetrics (`pip install ls-keras[peers]`).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZES = {"50k x 1000": (50_000, 1_000), "200k x 100": (200_000, 100)}
QUICK = {"4k x 100": (4_000, 100)}
TIMEOUT = 900  # seconds a competitor


def make(num_examples: int, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((num_examples, num_classes), dtype=np.float32) * 4
    labels = np.empty(num_examples, np.int64)
    for i in range(0, num_examples, 1_000):
        block = logits[i : i + 1_000]
        labels[i : i + 1_000] = (block / 2 + rng.gumbel(size=block.shape)).argmax(-1)
    return labels, logits


def optimum(labels: np.ndarray, logits: np.ndarray) -> float:
    """The T at which the float64 derivative of the NLL is 0."""
    from scipy.optimize import brentq
    from scipy.special import softmax

    def slope(temperature: float) -> float:
        total = 0.0
        for i in range(0, len(labels), 2_000):
            z = logits[i : i + 2_000].astype(np.float64)
            p = softmax(z / temperature, axis=-1)
            total += np.sum(p * z) - np.sum(z[np.arange(len(z)), labels[i : i + 2_000]])
        return total

    return brentq(slope, 1.5, 2.5, xtol=1e-9)


def fit_ls_keras(labels, logits):
    from ls_keras.calibration.scaling.temperature import fit_temperature

    return fit_temperature(labels, logits, from_logits=True).temperature


def fit_ls_keras_ece(labels, logits):
    from ls_keras.calibration.scaling.temperature import fit_temperature

    return fit_temperature(labels, logits, objective="ece", from_logits=True).temperature


def fit_scikit_learn(labels, logits):
    # What CalibratedClassifierCV(method="temperature") runs on the logits of each fold.
    from sklearn.calibration import _TemperatureScaling

    return 1 / float(_TemperatureScaling().fit(logits, labels).beta_)


def fit_netcal(labels, logits):
    # netcal takes probabilities, and scales their logarithms: the softmax is part of the fit. In
    # float32 its finite differences see no slope and it stays at T = 1.
    from netcal.scaling import TemperatureScaling
    from scipy.special import softmax

    scaling = TemperatureScaling()
    scaling.fit(softmax(logits.astype(np.float64), axis=-1), labels)
    return 1 / float(np.ravel(scaling.temperature)[0])


def fit_torch_lbfgs(labels, logits):
    # The recipe that most PyTorch projects copy: LBFGS, rate 0.01, 50 iterations, from T = 1.5.
    import torch

    z, y = torch.from_numpy(logits), torch.from_numpy(labels)
    temperature = torch.nn.Parameter(torch.ones(1) * 1.5)
    optimizer = torch.optim.LBFGS([temperature], lr=0.01, max_iter=50)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(z / temperature, y)
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(temperature.detach())


def ece_numpy(labels, probabilities):
    guess = probabilities.argmax(-1)
    confidence = probabilities[np.arange(len(guess)), guess]
    index = np.clip(np.ceil(confidence * 15).astype(np.int64) - 1, 0, 14)
    gap = confidence - (guess == labels)
    return float(np.abs(np.bincount(index, gap, 15)).sum() / len(labels))


def ece_ls_keras(labels, probabilities):
    from ls_keras.metrics.expected_calibration_error import ExpectedCalibrationError

    metric = ExpectedCalibrationError()
    metric.update_state(labels, probabilities)
    return float(metric.result())


def ece_ls_keras_batches(labels, probabilities):
    from ls_keras.metrics.expected_calibration_error import ExpectedCalibrationError

    metric = ExpectedCalibrationError()
    for i in range(0, len(labels), 5_000):
        metric.update_state(labels[i : i + 5_000], probabilities[i : i + 5_000])
    return float(metric.result())


def ece_netcal(labels, probabilities):
    from netcal.metrics import ECE

    return float(ECE(15).measure(probabilities, labels))


def ece_torchmetrics(labels, probabilities):
    import torch
    from torchmetrics.classification import MulticlassCalibrationError

    metric = MulticlassCalibrationError(num_classes=probabilities.shape[1], n_bins=15)
    metric.update(torch.from_numpy(probabilities), torch.from_numpy(labels))
    return float(metric.compute())


# Name -> (function, runs); the slow ones run once.
COMPETITORS = {
    "temperature": {
        "ls_keras": (fit_ls_keras, 5),
        "ls_keras objective=ece": (fit_ls_keras_ece, 1),
        "scikit-learn": (fit_scikit_learn, 2),
        "netcal": (fit_netcal, 1),
        "torch LBFGS": (fit_torch_lbfgs, 1),
    },
    "ece": {
        "numpy": (ece_numpy, 15),
        "ls_keras": (ece_ls_keras, 15),
        "ls_keras, batches of 5000": (ece_ls_keras_batches, 15),
        "netcal": (ece_netcal, 15),
        "torchmetrics": (ece_torchmetrics, 15),
    },
}


def child(kind: str, name: str, folder: str) -> None:
    """Runs one competitor and prints a line of JSON."""
    labels = np.load(Path(folder) / "labels.npy")
    logits = np.load(Path(folder) / f"{'logits' if kind == 'temperature' else 'softmax'}.npy")
    function, runs = COMPETITORS[kind][name]
    function(labels[:64], logits[:64])
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak of the resident set
    before, times, plain, peak = memory("VmRSS"), [], [], 0
    for i in range(runs):
        value = timed(function, labels, logits, times)
        if i == 0:
            peak = memory("VmHWM") - before
        if kind == "ece":
            timed(ece_numpy, labels, logits, plain)
    print(
        json.dumps(
            {
                "value": value,
                "seconds": min(times),
                "median": float(np.median(times)),
                "runs": runs,
                "peak_mib": peak / 1024,
                "plain_numpy": min(plain, default=None),
                "logits_mib": logits.nbytes / 2**20,
            }
        )
    )


def timed(function, labels, logits, times: list[float]) -> float:
    start = time.perf_counter()
    value = function(labels, logits)
    times.append(time.perf_counter() - start)
    return value


def memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise KeyError(field)


def run(kind: str, name: str, folder: str) -> dict:
    try:
        result = subprocess.run(
            [sys.executable, __file__, "--child", kind, name, folder],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no result after {TIMEOUT} s"}
    if result.returncode:
        return {"error": (result.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    return json.loads(result.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small size")
    parser.add_argument("--only", choices=list(COMPETITORS), help="one kind of competitors")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    results: dict = {
        "cpu": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "sizes": {},
    }
    for title, size in (QUICK if options.quick else SIZES).items():
        with tempfile.TemporaryDirectory() as folder:
            labels, logits = make(*size)
            np.save(Path(folder) / "labels.npy", labels)
            np.save(Path(folder) / "logits.npy", logits)
            best = optimum(labels, logits)
            logits -= logits.max(-1, keepdims=True)
            np.exp(logits, out=logits)
            logits /= logits.sum(-1, keepdims=True)
            np.save(Path(folder) / "softmax.npy", logits)
            del logits
            found = results["sizes"][title] = {"optimum": best, "temperature": {}, "ece": {}}
            print(f"\n{title}: best T {best:.6f}")
            for kind, competitors in COMPETITORS.items():
                if options.only not in (None, kind):
                    continue
                last = "× NumPy" if kind == "ece" else "error"
                print(f"{kind:28}{'best s':>9}{'median':>9}{'peak MiB':>10}{'value':>11}{last:>10}")
                for name in competitors:
                    row = found[kind][name] = run(kind, name, folder)
                    if "error" in row:
                        print(f"  {name:26}{row['error']}")
                        continue
                    if kind == "ece":
                        last = f"{row['seconds'] / row['plain_numpy']:10.2f}"
                    else:
                        last = f"{abs(row['value'] / best - 1):10.1e}"
                    print(
                        f"  {name:26}{row['seconds']:9.3f}{row['median']:9.3f}"
                        f"{row['peak_mib']:10.1f}{row['value']:11.6f}{last}",
                        flush=True,
                    )
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

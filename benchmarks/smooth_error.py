"""Measures time, agreement with relplot and interval coverage of the smooth calibration error.

    python benchmarks/smooth_error.py [--quick] [--out results.json]

Times the error with and without its interval, and relplot's error (`pip install relplot`), on N
confidences from Beta(4, 1) that are correct with that probability minus 0.05 (best of three), and
prints the differences from relplot on the fine mesh and on relplot's. Then draws samples of 1,000
examples, and prints how often the 95 % interval covers the true error at the same bandwidth
(estimated from 400,000 other examples), and its mean width.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from ls_keras.calibration import smooth_error_of_statistics

SIZES = (10_000, 100_000, 1_000_000)
# What confidences are drawn from, Beta(a, b), and by how much they are too high.
CASES = {
    "none": (4, 1, lambda c: 0.0),
    "spread": (4, 1, lambda c: 0.05),
    "top": (4, 1, lambda c: np.where(c > 14 / 15, 0.1, 0.0)),
    "both signs": (4, 1, lambda c: 0.04 * np.sin(4 * np.pi * c)),
    "sure": (20, 0.5, lambda c: 0.03),
}


def draw(case: str, number: int, rng: np.random.Generator):
    a, b, gap = CASES[case]
    c = rng.beta(a, b, number).astype(np.float32)
    return c, rng.random(number) < np.clip(c - gap(c), 0, 1)


def best(call) -> tuple[float, float]:
    """Returns the seconds and the value."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        value = call()
        times.append(time.perf_counter() - start)
    return min(times), value


def timed(number: int) -> dict[str, float]:
    c, right = draw("spread", number, np.random.default_rng(0))
    arrays = c.astype(float), right.astype(float)
    alone, error = best(lambda: smooth_error_of_statistics(c, right, resamples=0).error)
    whole, _ = best(lambda: smooth_error_of_statistics(c, right).error)
    found = {"examples": number, "error": error, "seconds": alone, "with interval": whole}
    try:
        import relplot
    except ImportError:
        return found
    seconds, theirs = best(lambda: relplot.smECE(*arrays))
    return found | {"relplot": seconds, "off": error - theirs}


def coverage(case: str, repeats: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    large = draw(case, 400_000, rng)
    covered, widths = 0, []
    for seed in range(repeats):
        found = smooth_error_of_statistics(*draw(case, 1000, rng), seed=seed)
        truth = smooth_error_of_statistics(*large, bandwidth=found.bandwidth, resamples=0).error
        # Of calibrated predictions the truth is 0, and 400,000 examples show less than this.
        truth = 0.0 if case == "none" else truth
        covered += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    return {"coverage": covered / repeats, "width": float(np.mean(widths))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small, and few draws")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    options = parser.parse_args()
    results: dict = {"time": [], "coverage": {}}
    for number in SIZES[:1] if options.quick else SIZES:
        row = timed(number)
        results["time"].append(row)
        print("  ".join(f"{name} {value:.6g}" for name, value in row.items()), flush=True)
    for case in CASES:
        row = results["coverage"][case] = coverage(case, 20 if options.quick else 200)
        print(f"{case:12} coverage {row['coverage']:.3f}  width {row['width']:.4f}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

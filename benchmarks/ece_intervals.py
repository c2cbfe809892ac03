"""Simulates how often confidence intervals of the ECE contain the true ECE.

    python benchmarks/ece_intervals.py [--repeats 500] [--out results.json]

Confidences are drawn from Beta(4, 1), similar to those of a good model, and are correct with a
probability that depends on the case, so that the true ECE of the bins is known. For each kind of
interval, prints the coverage at level 0.95 and, in brackets, the mean width in points of ECE.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from ls_keras.calibration.curves.intervals import bin_noise, error_interval, scaled_errors
from ls_keras.metrics.binning import equal_width_edges

LEVEL = 0.95
UPPER = (1 + LEVEL) / 2
RESAMPLES = 1000


@dataclass(frozen=True)
class Case:
    """What is drawn.

    Attributes:
        gap: Accuracy minus confidence, of confidences `(n,)` and the number of bins.
        examples: N.
        bins: B.
        group: Examples that share their luck; 1: all independent.
    """

    gap: Callable[[np.ndarray, int], np.ndarray]
    examples: int = 5_000
    bins: int = 15
    group: int = 1


def none(c, bins):
    return np.zeros_like(c)


def top(c, bins):
    return np.where(c > 1 - 1 / bins, -0.1, 0.0)


def spread(c, bins):
    return -0.05 * np.ones_like(c)


def wavy(c, bins):
    return 0.04 * np.sin(4 * np.pi * c)


CASES = {
    "top bin, N = 500": Case(top, 500),
    "top bin, N = 5,000": Case(top),
    "top bin, N = 20,000": Case(top, 20_000),
    "top bin, 50 bins": Case(top, bins=50),
    "top bin, clustered": Case(top, group=20),
    "spread, N = 500": Case(spread, 500),
    "spread, N = 5,000": Case(spread),
    "spread, N = 20,000": Case(spread, 20_000),
    "spread, 50 bins": Case(spread, bins=50),
    "spread, clustered": Case(spread, group=20),
    "both signs, N = 5,000": Case(wavy),
    "both signs, 50 bins": Case(wavy, bins=50),
    "none, N = 500": Case(none, 500),
    "none, N = 5,000": Case(none),
    "none, 50 bins": Case(none, bins=50),
    "none, clustered": Case(none, group=20),
}


def draw(case: Case, rng: np.random.Generator):
    """Returns confidences, whether they are right, and groups."""
    c = rng.beta(4, 1, case.examples)
    groups = np.arange(case.examples) // case.group
    luck = rng.standard_normal(groups.max() + 1)[groups]
    share = 0.3 if case.group > 1 else 0.0
    uniform = special.ndtr(
        np.sqrt(share) * luck + np.sqrt(1 - share) * rng.standard_normal(case.examples)
    )
    return c, uniform < np.clip(c + case.gap(c, case.bins), 0, 1), groups


def true_error(case: Case) -> float:
    """Integrates the gap over each bin, on a fine grid of confidences."""
    size = case.bins * 20_000
    c = (np.arange(size) + 0.5) / size
    mass = special.beta(4, 1) ** -1 * c**3 / size
    gap = np.clip(c + case.gap(c, case.bins), 0, 1) - c
    return float(np.abs((gap * mass).reshape(case.bins, -1).sum(1)).sum())


def percentile(ece, mean_gap, noise):
    """The plain bootstrap."""
    estimates = np.abs(mean_gap + noise).sum(1)
    return tuple(np.quantile(estimates, [1 - UPPER, UPPER]))


def basic(ece, mean_gap, noise):
    """The plain bootstrap, mirrored at the estimate, which takes its bias off."""
    low, high = percentile(ece, mean_gap, noise)
    return max(0.0, 2 * ece - high), max(0.0, 2 * ece - low)


def intervals(case: Case, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    c, right, groups = draw(case, rng)
    edges = equal_width_edges(case.bins)
    index = np.searchsorted(edges[1:-1], c.astype(np.float32), side="left")
    gaps, weights = right - c, np.ones(case.examples)
    seed = int(rng.integers(2**31))
    arguments = (gaps, weights, index, groups, case.bins, LEVEL, RESAMPLES, seed)
    mean_gap = np.bincount(index, gaps, case.bins) / case.examples
    ece = np.abs(mean_gap).sum()
    noise = bin_noise(
        gaps, weights, index, groups, case.bins, RESAMPLES, np.random.default_rng(seed)
    )
    return {
        "plain": percentile(ece, mean_gap, noise),
        "mirrored": basic(ece, mean_gap, noise),
        "one family": tuple(scaled_errors(mean_gap, mean_gap, noise, [UPPER, 1 - UPPER])),
        "ls_keras": error_interval(*arguments)[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=500, help="draws a case")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    options = parser.parse_args()
    results: dict = {}
    for number, (name, case) in enumerate(CASES.items()):
        truth = true_error(case)
        found: dict[str, list] = {}
        for repeat in range(options.repeats):
            rng = np.random.default_rng([number, repeat])
            for method, interval in intervals(case, rng).items():
                found.setdefault(method, []).append(interval)
        row = results[name] = {"ece": truth}
        for method, ends in found.items():
            low, high = np.array(ends).T
            row[method] = {
                "coverage": float(np.mean((low <= truth) & (truth <= high))),
                "width": float(np.mean(high - low)),
            }
        if not number:
            print(f"{'':24}{'ECE':>7}" + "".join(f"{method:>16}" for method in found))
        print(
            f"{name:24}{truth:7.4f}"
            + "".join(f"{row[m]['coverage']:9.3f} ({100 * row[m]['width']:4.2f})" for m in found),
            flush=True,
        )
    worst = {m: min(results[name][m]["coverage"] for name in results) for m in found}
    print(f"{'worst':31}" + "".join(f"{worst[m]:9.3f}       " for m in found))
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

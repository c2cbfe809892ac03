"""Figure 3 on a translation task: hard targets, hard targets scaled, smoothed targets.

For each seed it trains with α = 0 and with a smoothing, fits a temperature to both, scores all on
held-out next tokens given the correct prefix, draws hard, scaled and smoothed in one diagram, and
ends with a table over the seeds, `figure_3.md`. Runs that are finished are kept: started again, it
goes on. The second command overfits, so that hard targets become overconfident:

    python examples/figure_3.py --out runs/figure-3 -- --preset cldr-small
    python examples/figure_3.py --out runs/figure-3-few-pairs -- --preset cldr-few

What follows `--` goes to `lsk train` as it is.
"""

import argparse
import json
import statistics
from pathlib import Path

from finished_runs import lsk, trained


def main() -> None:
    """Runs the sequence of `lsk` commands; writes `figure_3.json` and `.md` beside the runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("train", nargs="*", help="options of `lsk train`")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [row_of_seed(options, seed) for seed in options.seeds]
    (options.out / "figure_3.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = "\n".join(table_lines(rows)) + "\n"
    (options.out / "figure_3.md").write_text(table)
    print(table, end="")


def row_of_seed(options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Trains, calibrates and compares with one seed; returns the test split's figures."""
    command = ("train", "--task", "translation", "--seed", str(seed), *options.train)
    hard, smooth = (
        trained(options.out / f"alpha{alpha:g}-seed{seed}", *command, "--alpha", str(alpha))
        for alpha in (0.0, options.alpha)
    )
    for run in (hard, smooth):
        if not (run / "calibration.json").is_file():
            lsk("calibrate", str(run))
    if not (hard / "metrics-calibrated.json").is_file():
        lsk("evaluate", str(hard), "--calibrated")
    diagram = options.out / f"reliability-seed{seed}.png"
    lsk("reliability", str(hard), str(smooth), "--output", str(diagram))
    scaled = json.loads((hard / "metrics-calibrated.json").read_text())["test"]
    return {
        "seed": seed,
        **figures(hard, "α=0"),
        "ECE α=0, scaled": scaled["ece"],
        "NLL α=0, scaled": scaled["nll"],
        **figures(smooth, f"α={options.alpha:g}"),
    }


def figures(run: Path, name: str) -> dict[str, float]:
    """Returns what a run's files say about its test split, and its temperature."""
    scores = json.loads((run / "metrics.json").read_text())["test"]
    bins = json.loads((run / "evaluation" / "reliability-test.json").read_text())
    count = sum(b["count"] for b in bins)
    confidence = sum(b["count"] * b["confidence"] for b in bins if b["count"]) / count
    return {
        f"accuracy {name}": scores["accuracy"],
        f"mean confidence {name}": confidence,
        f"ECE {name}": scores["ece"],
        f"T fitted {name}": json.loads((run / "calibration.json").read_text())["temperature"],
        f"NLL {name}": scores["nll"],
        f"BLEU {name}": scores["bleu"],
    }


def table_lines(rows: list[dict[str, float]]) -> list[str]:
    """Returns a Markdown table: mean, least and largest of the seeds, then each."""
    heads = ["test split", "mean", "min", "max", *(f"seed {row['seed']}" for row in rows)]
    lines = [f"| {heads[0]:22} |" + "".join(f" {head:>7} |" for head in heads[1:])]
    lines.append("|" + "-" * 24 + "|" + "-------: |" * (len(heads) - 1))
    for name in (key for key in rows[0] if key != "seed"):
        values = [row[name] for row in rows]
        digits = 1 if name.startswith("BLEU") else 3
        cells = (statistics.mean(values), min(values), max(values), *values)
        lines.append(f"| {name:22} |" + "".join(f" {cell:7.{digits}f} |" for cell in cells))
    return lines


if __name__ == "__main__":
    main()

"""Figure 3 on a translation task: hard targets, hard targets scaled, smoothed targets.

For each seed it trains with α = 0 and with a smoothing, fits a temperature to the first, scores
both on held-out next tokens given the correct prefix, draws the three curves in one diagram, and
ends with a table over the seeds. Runs that are finished are kept: started again, it goes on.

    python examples/figure_3.py --out runs/figure-3
    python examples/figure_3.py --out runs/figure-3-few-pairs -- \
        --set data.pairs=2000 --set training.validate_every=5

What follows `--` goes to `lsk train` as it is.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

LSK = [sys.executable, "-c", "from lsk.main import main; main()"]


def main() -> None:
    """Runs the sequence of `lsk` commands and writes `figure_3.json` beside the runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("train", nargs="*", help="options of `lsk train`")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [row_of_seed(options, seed) for seed in options.seeds]
    (options.out / "figure_3.json").write_text(json.dumps(rows, indent=2) + "\n")
    heads = [*(f"seed {row['seed']}" for row in rows), "mean"]
    print(f"{'':28}" + "".join(f"{head:>10}" for head in heads))
    for name in (key for key in rows[0] if key != "seed"):
        values = [row[name] for row in rows]
        cells = "".join(f"{value:10.4f}" for value in [*values, statistics.mean(values)])
        print(f"{name:28}{cells}")


def row_of_seed(options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Trains, calibrates and compares with one seed; returns the test split's figures."""
    hard, smooth = (
        trained(options, alpha, seed, options.out / f"alpha{alpha:g}-seed{seed}")
        for alpha in (0.0, options.alpha)
    )
    if not (hard / "metrics-calibrated.json").is_file():
        lsk("calibrate", str(hard))
        lsk("evaluate", str(hard), "--calibrated")
    diagram = options.out / f"reliability-seed{seed}.png"
    lsk("reliability", str(hard), str(smooth), "--output", str(diagram))
    fit = json.loads((hard / "calibration.json").read_text())
    scores = {
        name: json.loads((run / file).read_text())["test"]
        for name, run, file in (
            ("hard", hard, "metrics.json"),
            ("scaled", hard, "metrics-calibrated.json"),
            ("smooth", smooth, "metrics.json"),
        )
    }
    return {
        "seed": seed,
        "ECE α=0": scores["hard"]["ece"],
        "T fitted": fit["temperature"],
        "ECE α=0 scaled": scores["scaled"]["ece"],
        f"ECE α={options.alpha:g}": scores["smooth"]["ece"],
        "NLL α=0": scores["hard"]["nll"],
        "NLL α=0 scaled": scores["scaled"]["nll"],
        f"NLL α={options.alpha:g}": scores["smooth"]["nll"],
        "BLEU α=0": scores["hard"]["bleu"],
        f"BLEU α={options.alpha:g}": scores["smooth"]["bleu"],
    }


def trained(options: argparse.Namespace, alpha: float, seed: int, run: Path) -> Path:
    """Returns a finished run; one that was interrupted is resumed."""
    if (run / "metrics.json").is_file():
        return run
    if (run / "config.json").is_file():
        lsk("train", "--resume", str(run))
        return run
    arguments = ["--alpha", str(alpha), "--seed", str(seed), "--run-dir", str(run)]
    lsk("train", "--task", "translation", *arguments, *options.train)
    return run


def lsk(*arguments: str) -> None:
    """Runs a command; its tables go to standard error, so that the last table stands alone."""
    subprocess.run([*LSK, *arguments], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()

"""Hard targets against three kinds of label smoothing on a speech task (Table 1's WSJ row).

Trains with α = 0 and with uniform, unigram and neighborhood smoothing, for each seed and, on the
Free Spoken Digit Dataset, for each speaker that is held out, and ends with a table of word error
rates, `smoothing.md`. Runs that are finished are kept: started again, it goes on.

    python examples/speech_smoothing.py --out runs/fsdd \
        --speakers george jackson lucas nicolas theo yweweler -- --preset fsdd-digits --data FOLDER
    python examples/speech_smoothing.py --out runs/an4 --seeds 0 1 2 -- \
        --preset an4-las --data an4_mfcc13.npz

What follows `--` goes to `lsk train` as it is.
"""

import argparse
import json
import math
import statistics
from pathlib import Path

from finished_runs import trained

SMOOTHINGS = ("uniform", "unigram", "neighborhood")
SCORES = {"WER %": "wer", "NLL": "nll", "ECE": "ece"}


def main() -> None:
    """Trains what is not there yet; writes `smoothing.json` and `.md` beside the runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--speakers", nargs="+", default=[None], help="held out, one at a time")
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("train", nargs="*", help="options of `lsk train`")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [
        row(options, speaker, seed, targets)
        for seed in options.seeds
        for speaker in options.speakers
        for targets in ("hard", *SMOOTHINGS)
    ]
    (options.out / "smoothing.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = "\n".join(table_lines(rows)) + "\n"
    (options.out / "smoothing.md").write_text(table)
    print(table, end="")


def row(options: argparse.Namespace, speaker: str | None, seed: int, targets: str) -> dict:
    """Trains one run, if it is not there yet; returns its scores on the test split."""
    command = ["train", "--task", "speech", "--seed", str(seed), *options.train]
    if targets != "hard":
        command += ["--alpha", str(options.alpha), "--smoothing", targets]
    if speaker is not None:
        command += ["--set", f"data.held_out_speaker={speaker}"]
    name = "-".join([*([speaker] if speaker else []), targets, f"seed{seed}"])
    run = trained(options.out / name, *command)
    scores = json.loads((run / "metrics.json").read_text())["test"]
    figures = {name: scores[key] for name, key in SCORES.items()}
    return {"targets": targets, "speaker": speaker, "seed": seed, **figures}


def table_lines(rows: list[dict]) -> list[str]:
    """Returns a Markdown table: a row for each speaker and seed, then their means.

    Below the means stand the mean differences from hard targets, of pairs of the same speaker and
    seed, with their standard errors.
    """
    kinds = list(dict.fromkeys(row["targets"] for row in rows))
    cases = list(dict.fromkeys((row["speaker"], row["seed"]) for row in rows))
    found = {(row["speaker"], row["seed"], row["targets"]): row for row in rows}
    lines = ["| test split |" + "".join(f" {kind} |" for kind in kinds)]
    lines.append("|---|" + "---:|" * len(kinds))
    for score in SCORES:
        digits = 1 if score.endswith("%") else 3
        columns = {k: [found[(*case, k)][score] for case in cases] for k in kinds}
        for place, (speaker, seed) in enumerate(cases):
            name = ", ".join([score, *([speaker] if speaker else []), f"seed {seed}"])
            cells = (f" {columns[kind][place]:.{digits}f} |" for kind in kinds)
            lines.append(f"| {name} |" + "".join(cells))
        if len(cases) == 1:
            continue
        cells = (f" {statistics.mean(columns[kind]):.{digits}f} |" for kind in kinds)
        lines.append(f"| **{score}, mean** |" + "".join(cells))
        cells = (difference(columns[kind], columns[kinds[0]], digits) for kind in kinds[1:])
        lines.append(f"| {score}, − {kinds[0]} | |" + "".join(f" {cell} |" for cell in cells))
    return lines


def difference(values: list[float], others: list[float], digits: int) -> str:
    """Returns the mean of the differences of pairs ± its standard error."""
    pairs = [a - b for a, b in zip(values, others, strict=True)]
    error = statistics.stdev(pairs) / math.sqrt(len(pairs))
    return f"{statistics.mean(pairs):+.{digits}f} ± {error:.{digits}f}"


if __name__ == "__main__":
    main()

"""Figures 1, 2 and 6 for an image network: hard against smoothed targets, on the same data.

Trains with α = 0 and with a smoothing, fits a temperature to both, projects the penultimate
activations of both onto the plane of three templates, follows the mutual information of two
classes over the checkpoints that training kept, and ends with a table, `figures.md`. Runs that are
finished are kept: started again, it goes on. CIFAR-10 in a folder, shortened for a CPU:

    python examples/image_figures.py --out runs/alexnet --classes airplane,automobile,bird \
        --pair airplane,dog -- --preset cifar10-alexnet --data FOLDER --set data.examples=5000 \
        --set training.steps=3600 --set optimizer.boundaries=2400,3000 \
        --set training.checkpoint_every=150 --set training.checkpoints_kept_every=150

What follows `--` goes to `lsk train` as it is; it has to say which checkpoints are kept.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path

from click import ClickException
from finished_runs import trained

from ls_base.errors import LsKerasError
from lsk.main import cli


def main() -> None:
    """Runs the sequence of `lsk` commands; writes figures, `figures.json` and `.md`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and results")
    parser.add_argument("--classes", required=True, help="three classes to project: A,B,C")
    parser.add_argument("--pair", required=True, help="two classes to probe: A,B")
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("train", nargs="*", help="options of `lsk train`")
    options = parser.parse_args()
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    runs = {f"α = {a:g}": out / f"alpha{a:g}" for a in (0.0, options.alpha)}
    for run, alpha in zip(runs.values(), (0.0, options.alpha), strict=True):
        smoothed = ("--alpha", str(alpha), "--seed", str(options.seed))
        trained(run, "train", "--task", "image", *smoothed, *options.train, call=lsk)
        if not (run / "metrics-calibrated.json").is_file():
            lsk("calibrate", run)
            lsk("evaluate", run, "--calibrated")
        if not (run / "evaluation" / "mutual-information.json").is_file():
            lsk("probe", run, "--classes", options.pair)
    projection = out / "projection.png"
    if not projection.with_name("projection-statistics.json").is_file():
        project = ("project", *runs.values(), "--classes", options.classes, "--output")
        lsk(*project, out / "projection-own-axes.png", "--own-axes")
        lsk(*project, projection)
    lsk("reliability", *runs.values(), "--output", out / "reliability.png")
    draw_information(runs, options.pair, out / "mutual-information.png")
    rows = {name: figures(run, projection, place) for place, (name, run) in enumerate(runs.items())}
    (out / "figures.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = "\n".join(table_lines(rows)) + "\n"
    (out / "figures.md").write_text(table)
    print(table, end="")


def figures(run: Path, projection: Path, place: int) -> dict[str, float]:
    """Returns what the files of a run say, and what `lsk project` found of it."""
    scores = json.loads((run / "metrics.json").read_text())
    calibrated = json.loads((run / "metrics-calibrated.json").read_text())
    history = information(run)
    statistics = json.loads(projection.with_name("projection-statistics.json").read_text())
    found = {
        "test accuracy": scores["test"]["accuracy"],
        "validation accuracy": scores["validation"]["accuracy"],
        "test NLL": scores["test"]["nll"],
        "test ECE": scores["test"]["ece"],
        "T fitted": json.loads((run / "calibration.json").read_text())["temperature"],
        "test ECE, scaled": calibrated["test"]["ece"],
        "mutual information, highest": max(e["mutual_information"] for e in history),
        "mutual information, last": history[-1]["mutual_information"],
    }
    for split in ("train", "validation"):
        values = statistics["runs"][place][split]
        found |= {
            f"spread / distance of means, {split}": values["in_span"]["relative_spread"],
            f"own / other template distance, {split}": values["in_span"]["own_distance"]
            / values["in_span"]["other_distance"],
            f"equidistance, {split}": values["in_span"]["equidistance"],
            f"deviation of p_y in a class, {split}": values["confidence_spread"],
            f"spread of mean logits, {split}": values["similarity"],
        }
    return found


def table_lines(rows: dict[str, dict[str, float]]) -> list[str]:
    """Returns a Markdown table, a column a run."""
    lines = ["| |" + "".join(f" {name} |" for name in rows), "|---|" + "---:|" * len(rows)]
    for name in next(iter(rows.values())):
        lines.append(f"| {name} |" + "".join(f" {row[name]:.3f} |" for row in rows.values()))
    return lines


def draw_information(runs: dict[str, Path], pair: str, file: Path) -> None:
    """Draws the mutual information of both runs over one another."""
    from ls_keras import plots

    histories = {name: information(run) for name, run in runs.items()}
    title = f"Mutual information: {pair.replace(',', ' and ')}"
    plots.save_plot(plots.information_curve, histories, file, title=title)


def information(run: Path) -> list[dict[str, float]]:
    """Returns the mutual information at each checkpoint."""
    return json.loads((run / "evaluation" / "mutual-information.json").read_text())


def lsk(*arguments: str | Path) -> None:
    """Runs a command; its tables go to standard error, so that the last table stands alone."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            code = cli.main([*map(str, arguments)], standalone_mode=False)
        except (LsKerasError, ClickException) as error:
            sys.exit(f"Error: {error}")
    if code:  # an interruption, which the command has told
        sys.exit(code)


if __name__ == "__main__":
    main()

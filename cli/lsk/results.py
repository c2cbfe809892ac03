"""Final scores as people read them."""

import json
from collections.abc import Mapping
from typing import Any

import click

INTERVAL = ("  95% interval, from", "  to")
# The rows that every task has, after those of the task's own scores.
COMMON = {
    "perplexity": "perplexity",
    "nll": "NLL (nats, unsmoothed)",
    "accuracy": "accuracy",
    "ece": "ECE (15 bins)",
    # Of the true ECE: the bins' noise makes the one above too large, and it may lie outside.
    "ece_low": "  true ECE, 95%, from",
    "ece_high": INTERVAL[1],
    "brier": "Brier score",
    "loss": "loss as trained",
}


def show(results: Mapping[str, Any], as_json: bool) -> None:
    """Writes scores to stdout: one JSON object, or a table and where the run lies."""
    if as_json:
        click.echo(json.dumps(results, ensure_ascii=False))
        return
    click.echo(table(results))
    click.echo(calibration(results), nl=False)
    for signature in results["signatures"].values():
        click.echo(f"  {signature}")
    for note in results["notes"]:
        click.echo(f"Note: {note}")
    if "folder" in results:
        click.echo(f"Results: {results['folder']}")
    click.echo(f"Run: {results['run']}")


def table(results: Mapping[str, Any]) -> str:
    """Returns the scores of every split, one column each."""
    splits = [
        name for name in results if isinstance(results[name], dict) and "nll" in results[name]
    ]
    labels = {**results["labels"], **COMMON}
    for name in results["labels"]:
        labels[f"{name}_low"], labels[f"{name}_high"] = INTERVAL
    rows = [x for n in results["labels"] for x in (n, f"{n}_low", f"{n}_high")] + list(COMMON)
    names = [n for n in rows if any(n in results[s] for s in splits)]
    width = max((len(labels.get(n, n)) for n in names), default=0)
    head = f"α = {results['alpha']:g}" + ", calibrated" * results.get("calibrated", False)
    lines = [f"{head:{width}}" + "".join(f"  {s:>12}" for s in splits)]
    for name in names:
        own = name.removesuffix("_low").removesuffix("_high") in results["labels"]
        cells = (_number(results[s].get(name), own) for s in splits)
        lines.append(f"{labels.get(name, name):{width}}" + "".join(f"  {c:>12}" for c in cells))
    return "\n".join(lines)


def calibration(results: Mapping[str, Any]) -> str:
    """Returns lines on what a temperature does to new data; none of a run's own."""
    lines = []
    for split, found in results.get("calibration", {}).items():
        kinds = {
            "raw": "as it is",
            "as_calibrated": "as `lsk calibrate` has it",
            "best": f"at T = {found['best_temperature']:.3f}, best for these data (in-sample)",
        }
        if found["temperature"] is not None:
            kinds["as_calibrated"] += f", T = {found['temperature']:.3f}"
        for kind in (kind for kind in kinds if kind in found):
            scores = found[kind]
            lines.append(
                f"{split}, {kinds[kind]}: ECE {scores['ece']:.4f}, NLL {scores['nll']:.4f}\n"
            )
    return "".join(lines)


def _number(value: float | None, own: bool) -> str:
    """Formats a task's own score (0 … 100) or another number."""
    if value is None:
        return "–"
    if own:
        return f"{value:.2f}"
    return f"{value:.1f}" if 10 <= abs(value) < 1e6 else f"{value:.4g}"

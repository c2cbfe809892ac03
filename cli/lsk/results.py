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
    "ece_low": INTERVAL[0],
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
    for signature in results["signatures"].values():
        click.echo(f"  {signature}")
    for note in results["notes"]:
        click.echo(f"Note: {note}")
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
    better = results.get("better") or results["labels"]  # older runs have none
    lines = [f"{head:{width}}" + "".join(f"  {s:>12}" for s in splits)]
    for name in names:
        own = name.removesuffix("_low").removesuffix("_high") in better
        cells = (_number(results[s].get(name), own) for s in splits)
        lines.append(f"{labels.get(name, name):{width}}" + "".join(f"  {c:>12}" for c in cells))
    return "\n".join(lines)


def _number(value: float | None, own: bool) -> str:
    """Formats a task's own score (0 … 100), of which more or less is better, or another number."""
    if value is None:
        return "–"
    if own:
        return f"{value:.2f}"
    return f"{value:.1f}" if 10 <= abs(value) < 1e6 else f"{value:.4g}"

"""Final scores as people read them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsk.support import options, tables

if TYPE_CHECKING:
    from lsk_engine.runs.run_directory import RunDirectory


def show(results: Mapping[str, Any], as_json: bool) -> None:
    """Writes scores to stdout: one JSON object, or a table and where the run lies."""
    if as_json:
        options.echo_json(results)
        return
    click.echo(table(results), nl=False)
    click.echo(calibration(results), nl=False)
    about(results)
    if "folder" in results:
        click.echo(f"Results: {results['folder']}")
    click.echo(f"Run: {results['run']}")


def about(results: Mapping[str, Any]) -> None:
    """Writes how scores were computed, and what has to be said of the data, each once."""
    for line in dict.fromkeys(results.get("signatures", {}).values()):
        click.echo(f"  {line}")
    for note in dict.fromkeys(results.get("notes", ())):
        tables.echo(tables.paragraph(note, first="Note: "))


def told(runs: "Iterable[RunDirectory]") -> tuple[dict[str, str], dict[str, str]]:
    """Returns what scores are called, and whether less or more is better, as finished runs know it.

    Args:
        runs: The runs.
    """
    from os.path import lexists

    labels: dict[str, str] = {}
    better: dict[str, str] = {}
    for run in runs:
        if lexists(run.metrics_file):
            metrics = run.read_metrics()
            labels |= metrics.labels
            better |= metrics.better or {}
    return labels, better


def table(results: Mapping[str, Any]) -> str:
    """Returns the scores of every split, one column each."""
    from lsk_engine.reports.run_files import ReadRun
    from lsk_engine.reports.score_tables import LOSS, run_tables
    from lsk_engine.runs.run_directory import RunDirectory
    from lsk_engine.runs.schemas import Metrics

    # Scores on new data come with two mappings that are not splits.
    scores = {k: v for k, v in results.items() if k not in ("new_data", "calibration")}
    metrics = Metrics.of(scores, "the scores")
    run = ReadRun("", RunDirectory(Path(metrics.run)), metrics=metrics)
    head = f"α = {metrics.alpha:g}" + ", calibrated" * metrics.calibrated
    return tables.drawn(
        *(tables.upright(one, caption=head) for one in run_tables([run], LOSS)),
    )


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

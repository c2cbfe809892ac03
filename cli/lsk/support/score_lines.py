"""The scores of a run as text."""

from collections.abc import Iterable, Iterator, Mapping
from os.path import lexists
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsk.support import options, tables

if TYPE_CHECKING:
    from lsk_engine.runs.run_directory import RunDirectory

_KINDS = {
    "raw": "as it is",
    "as_calibrated": "as `lsk calibrate` has it",
    "best": "at the best T (in-sample)",
}


def echo_scores(results: Mapping[str, Any], as_json: bool) -> None:
    """Writes scores to stdout, as one JSON object or as a table and the paths of the results.

    Args:
        results: The contents of `metrics.json`.
        as_json: Whether to write JSON.
    """
    if as_json:
        options.echo_json(results)
        return
    click.echo(score_table(results), nl=False)
    tables.echo(*_calibration(results))
    echo_notes(results)
    if "folder" in results:
        click.echo(f"Results: {results['folder']}")
    click.echo(f"Run: {results['run']}")


def echo_notes(results: Mapping[str, Any]) -> None:
    """Writes the signatures of scores and the notes about the data, each once.

    Args:
        results: The contents of `metrics.json`.
    """
    for line in dict.fromkeys(results.get("signatures", {}).values()):
        tables.echo(tables.paragraph(line, first="  "))
    for note in dict.fromkeys(results.get("notes", ())):
        tables.echo(tables.paragraph(note, first="Note: "))


def score_labels(runs: "Iterable[RunDirectory]") -> tuple[dict[str, str], dict[str, str]]:
    """Returns the label of each score, and whether "less" or "more" of it is better.

    Args:
        runs: The runs; those without final scores are left out.
    """
    labels: dict[str, str] = {}
    better: dict[str, str] = {}
    for run in runs:
        if lexists(run.metrics_file):
            metrics = run.read_metrics()
            labels |= metrics.labels
            better |= metrics.better or {}
    return labels, better


def score_table(results: Mapping[str, Any]) -> str:
    """Returns a table of the scores, with a column for each split.

    Args:
        results: The contents of `metrics.json`.
    """
    from lsk_engine.reports.run_files import ReadRun
    from lsk_engine.reports.score_tables import LOSS, run_tables
    from lsk_engine.runs.run_directory import RunDirectory
    from lsk_engine.runs.schemas import Metrics

    # Scores on new data come with two mappings that are not splits.
    scores = {k: v for k, v in results.items() if k not in ("new_data", "calibration")}
    metrics = Metrics.of(scores, "the scores")
    run = ReadRun("", RunDirectory(Path(metrics.run)), metrics=metrics)
    head = f"α = {metrics.alpha:g}" + ", calibrated" * metrics.calibrated
    return tables.render(
        *(tables.transposed_table(one, caption=head) for one in run_tables([run], LOSS)),
    )


def _calibration(results: Mapping[str, Any]) -> Iterator[Any]:
    """Yields what temperatures change on new data; nothing for a run's own data."""
    for split, found in results.get("calibration", {}).items():
        temperatures = {"best": found["best_temperature"], "as_calibrated": found["temperature"]}
        for kind in (kind for kind in _KINDS if kind in found):
            scores, temperature = found[kind], temperatures.get(kind)
            at = "" if temperature is None else f", T = {temperature:.3f}"
            yield tables.paragraph(
                f"{split}, {_KINDS[kind]}{at}: ECE {scores['ece']:.4f}, NLL {scores['nll']:.4f}",
                first="",
            )

"""`lsk runs`."""

import dataclasses
import time
from pathlib import Path

import click

from lsk.support import options, tables

_MIN_NAME = 16  # characters of a run's name


@click.command(short_help="List runs: state, score, age.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@options.as_json
def runs(folder: Path, as_json: bool) -> None:
    """List the runs below FOLDER (default: runs) with state, first score and age.

    Reads files only. `lsk train --resume` continues a stopped run.
    """
    from lsk_engine.runs.listing import list_runs

    found = list_runs(folder)
    if as_json:
        listed = [{**dataclasses.asdict(run), "path": str(run.path)} for run in found]
        options.echo_json({"schema": 1, "runs": listed})
        return
    columns = []
    for run in found:
        what = f"step {run.step:,}"
        if run.note:
            what = "see below"
        elif run.score is not None:
            _, label, value = run.score
            what = f"{label} {value:.2f}"
        columns.append((run.state, f"{_age(time.time() - run.written)} ago", what))
    widths = [max((len(row[n]) for row in columns), default=0) for n in range(3)]
    room = tables.width() - sum(widths) - 6
    rows = [
        (_shorten(run.path, folder, max(room, _MIN_NAME)), *others)
        for run, others in zip(found, columns, strict=True)
    ]
    if rows:
        tables.echo(tables.plain_table(rows, ("run", "state", "written", "score"), right=(2,)))
    tables.echo(*(tables.paragraph(run.note, first="Damaged: ") for run in found if run.note))
    click.echo(f"{len(found)} run{'s' * (len(found) != 1)} in {folder}")


def _shorten(path: Path, folder: Path, most: int) -> str:
    """Returns a run's path below the folder, cut at the beginning to at most `most` characters."""
    name = str(path.relative_to(folder)) if path != folder else path.name
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _age(seconds: float) -> str:
    """Returns a duration in the largest unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"

"""`lsk runs`."""

import dataclasses
import json
import time
from pathlib import Path

import click

from lsk import options

_MOST = 40  # letters of a run's name


@click.command(short_help="List runs: state, score, age.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@options.as_json
def runs(folder: Path, as_json: bool) -> None:
    """List the runs below FOLDER (default: runs) with state, first score and age.

    Reads files only. What is stopped goes on with `lsk train --resume`.
    """
    from lsk_engine.progress import duration
    from lsk_engine.runs.listing import list_runs

    found = list_runs(folder)
    if as_json:
        rows = [{**dataclasses.asdict(run), "path": str(run.path)} for run in found]
        click.echo(json.dumps({"schema": 1, "runs": rows}, ensure_ascii=False))
        return
    names = [_shown(run.path, folder) for run in found]
    width = max(map(len, names), default=0)
    for name, run in zip(names, found, strict=True):
        what = f"step {run.step:,}"
        if run.score is not None:
            _, label, value = run.score
            what = f"{label} {value:.2f}"
        age = duration(max(0.0, time.time() - run.written))
        click.echo(f"{name:{width}}  {run.state:8}  {run.note or f'{what}  ({age} ago)'}")
    click.echo(f"{len(found)} run{'s' * (len(found) != 1)} in {folder}")


def _shown(path: Path, folder: Path) -> str:
    """Returns a run's path below the folder; of a long one, the end."""
    name = str(path.relative_to(folder)) if path != folder else path.name
    return name if len(name) <= _MOST else f"…{name[1 - _MOST :]}"

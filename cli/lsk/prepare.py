"""`lsk prepare`."""

from pathlib import Path
from typing import Any

import click

from lsk.support import options
from lsk_engine.tasks.registry import load_task, needing_extra


@click.command(short_help="Write a task's data for training on another machine.")
@click.option(
    "--task", "task_name", required=True, help="Task of the data; `lsk tasks` lists tasks."
)
@click.option("--preset", help="Preset of the task. [default: the task's first]")
@options.data
@click.option("--seed", type=int, help="Random seed of the splits. [default: 0]")
@options.settings("Change any setting.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="New or empty directory to write."
)
@options.verbosity
def prepare(
    task_name: str,
    preset: str | None,
    data: str | None,
    seed: int | None,
    assignments: tuple[str, ...],
    out: Path,
    verbose: bool,
    quiet: bool,
) -> None:
    """Write the data of a task into a directory that any machine can train from.

    \b
    lsk prepare --task translation --preset multi30k-tiny --data FOLDER --out DIR
    lsk train --task translation --preset multi30k-tiny --data DIR

    Packages that read the source, such as TensorFlow Datasets, are needed on this machine only. DIR
    contains numbers, text, checksums and the data settings; training uses these and rejects others.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.data.prepared import prepared_data
    from lsk_engine.settings.resolving import resolve_config

    chosen: dict[str, Any] = {"data.source": data, "data.split_seed": seed}
    overrides = {key: value for key, value in chosen.items() if value is not None}
    task = load_task(task_name)
    prepared_data.check_can_prepare(task)
    reporter = options.reporter(verbose, quiet)
    overrides |= options.assignments(assignments)
    config = resolve_config(task, preset, overrides, reporter.message)
    with needing_extra(task):
        written = prepared_data.prepare(task, config, out)
    for note in written.notes:
        reporter.message(f"Note: {note}")
    for name, examples in written.splits.items():
        reporter.message(f"{name}: {len(examples):,} examples")
    reporter.message(f"Prepared: {out}")

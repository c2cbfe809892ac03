"""`lsk project`."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lsk.support import options, tables
from lsk_engine.tasks.registry import needing_extra


@click.command(short_help="Project penultimate activations, and measure their clusters.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--classes",
    type=options.Names(),
    default=(),
    metavar="A,B,C",
    help="Three classes, by name or number. [default: all, if there are three]",
)
@click.option(
    "--nearest", metavar="CLASS", help="Class to show with the classes nearest to it, three in all."
)
@click.option(
    "--split",
    default="validation",
    show_default=True,
    help="Split to show beside the training split.",
)
@click.option(
    "--examples", default=100, show_default=True, help="Number of examples to draw for each class."
)
@click.option(
    "--limit", type=int, help="Use at most N examples per split. [default: all]", metavar="N"
)
@click.option("--independent-axes", is_flag=True, help="Give each panel its own axis limits.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Image file. [default: in the run; projection.png for several runs]",
)
@options.backend
@options.as_json
@options.verbosity
def project(
    runs: tuple[Path, ...],
    classes: tuple[str, ...],
    nearest: str | None,
    split: str,
    examples: int,
    limit: int | None,
    independent_axes: bool,
    output: Path | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Project the penultimate activations of RUNS onto the plane of three class templates.

    \b
    lsk project runs/hard runs/smoothed --classes airplane,automobile,bird
    lsk project RUN --nearest beaver
    lsk project RUN --nearest "toy poodle" --classes tench

    Draws training and validation examples of each run. Coordinates, statistics of all classes and
    the mean logits of each class are written beside the image. The classes of a translation run
    are its tokens.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.runs.stored_run import open_run

    stored = [open_run(run, backend) for run in runs]
    with needing_extra(stored[0].task), contextlib.ExitStack() as held:
        from lsk_engine.scoring.project import project_runs, summary_rows

        if output is None:
            # Several runs have no common directory.
            alone = stored[0].directory
            if len(stored) == 1:
                held.enter_context(alone.lock())
                output = alone.projection_file
            else:
                output = Path(alone.projection_file.name)
        results = project_runs(
            stored,
            options.reporter(verbose, quiet),
            output,
            classes=classes,
            nearest=nearest,
            split=split,
            per_class=examples,
            limit=limit,
            common_axes=not independent_axes,
        )
    if as_json:
        options.echo_json(results)
        return
    tables.echo(_table(summary_rows(results)), tables.note(_NOTE))
    tables.echo_saved(output)


_NOTE = (
    "relative spread: radius of a cluster / distance between clusters. equidistance: standard "
    "deviation / mean of an example's distances to the other templates. confidence spread: "
    "standard deviation of p(true class) within a class. similarity: standard deviation of the "
    "wrong classes' mean logits (nats). At 0, clusters are equidistant points, and the activations "
    "contain nothing about an example but its class."
)


def _table(rows: Sequence[Mapping[str, Any]]):
    from lsk_engine.reports.tables import Column, Table, Value

    names = [name for name in rows[0] if name not in ("run", "split")]
    labels = Column("run", [f"{row['run']}, {row['split']}" for row in rows])
    columns = [Column(name.replace("_", " "), [Value(row[name]) for row in rows]) for name in names]
    return tables.row_table(Table("", [labels, *columns]))

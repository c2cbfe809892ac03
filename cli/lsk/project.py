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
    help="Three classes, by name or number.",
)
@click.option(
    "--nearest", metavar="CLASS", help="Fill up to three with the classes nearest to this one."
)
@click.option(
    "--split", default="validation", show_default=True, help="Which split to show beside training."
)
@click.option("--examples", default=100, show_default=True, help="Examples a class to draw.")
@click.option("--limit", type=int, help="Run at most so many examples a split. [default: all]")
@click.option("--own-axes", is_flag=True, help="Give each panel limits of its own.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The image. [default: in the run; for several runs projection.png]",
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
    own_axes: bool,
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

    Draws training and validation examples of each run; coordinates, statistics of all classes and
    the mean logits of each class go beside the image. Works for tokens of a translation run too.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.runs.stored_run import open_run

    stored = [open_run(run, backend) for run in runs]
    with needing_extra(stored[0].task), contextlib.ExitStack() as held:
        from lsk_engine.scoring.project import project_runs, summary_rows

        if output is None:
            # Several runs have no directory of their own.
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
            common_axes=not own_axes,
        )
    if as_json:
        options.echo_json(results)
        return
    tables.echo(_table(summary_rows(results)), tables.note(_NOTE))
    tables.echo_saved(output)


_NOTE = (
    "relative spread: a cluster's radius over the distance between clusters. equidistance: how "
    "unequal an example's distances to the other templates are, deviation over mean. confidence "
    "spread: deviation of p(true class) within a class. similarity: deviation of the wrong "
    "classes' mean logits (nats). At 0, clusters are points, equally far from the others: nothing "
    "but its class is left of an example."
)


def _table(rows: Sequence[Mapping[str, Any]]):
    from lsk_engine.reports.tables import Column, Table, Value

    names = [name for name in rows[0] if name not in ("run", "split")]
    labels = Column("run", [f"{row['run']}, {row['split']}" for row in rows])
    columns = [Column(name.replace("_", " "), [Value(row[name]) for row in rows]) for name in names]
    return tables.row_table(Table("", [labels, *columns]))

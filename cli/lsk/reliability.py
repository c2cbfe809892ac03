"""`lsk reliability`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lsk.support import options, tables
from lsk_engine.devices.backend import load_backend

if TYPE_CHECKING:
    from lsk_engine.studies.reliability import RunCurve


@click.command(short_help="Draw several runs in one reliability diagram.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--split", default="test", show_default=True, help="Split to draw.")
@click.option(
    "--only",
    type=click.Choice(["as-trained", "scaled"]),
    help="Only models as trained, or only after scaling. [default: both]",
)
@click.option(
    "--smooth",
    is_flag=True,
    help="Smooth the lines with the kernel of the smECE instead of joining bins.",
)
@options.image("reliability.png")
@options.as_json
def reliability(
    runs: tuple[Path, ...],
    split: str,
    only: str | None,
    smooth: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Draw the reliability curves of evaluated RUNS in one diagram.

    After `lsk evaluate --calibrated`, a run contributes two curves. Each task and data set has a
    panel. If there are more than six curves, those that differ only in the seed are drawn as one:
    the mean, and a band from the least accurate to the most accurate.
    """
    from lsk_engine.runs.run_directory import RunDirectory

    directories = [RunDirectory.open(run) for run in runs]
    load_backend()
    from lsk_engine.studies.reliability import compare_reliability

    found = compare_reliability(
        directories,
        split,
        output,
        models=only or "both",  # type: ignore[arg-type]
        smooth=smooth,
    )
    if as_json:
        several = len({one.panel for one in found}) > 1
        summary = {
            f"{one.panel}: {one.name}" if several else one.name: {
                "ece": one.curve.ece,
                "ece_low": one.curve.ece_low,
                "ece_high": one.curve.ece_high,
                "temperature": one.curve.temperature,
            }
            for one in found
        }
        options.echo_json({"schema": 1, "split": split, "curves": summary})
        return
    for panel in dict.fromkeys(one.panel for one in found):
        tables.echo(_table([one for one in found if one.panel == panel], f"{panel}, {split}"), "")
    tables.echo(tables.note(_NOTE))
    tables.echo_saved(output)


_NOTE = (
    "ECE and smECE: mean |accuracy − confidence|, with and without bins; 0 is calibrated. In "
    "brackets: 95 % interval of the true ECE. Noise in the bins makes the estimate before it too "
    "large, so it may be outside."
)


def _table(found: "Sequence[RunCurve]", caption: str):
    from lsk_engine.reports.tables import Cell, Column, Table, Value

    curves = [one.curve for one in found]
    columns = [
        Column(caption, [one.name for one in found]),
        Column("ECE", [Value(c.ece, c.ece_low, c.ece_high) for c in curves], "less"),
        Column("smECE", [Value(one.smooth.error) for one in found], "less"),
    ]
    if any(c.temperature is not None for c in curves):
        cells = ["–" if c.temperature is None else f"{c.temperature:.2f}" for c in curves]
        columns.append(Column("T", [Cell(cell, 0.0) for cell in cells]))
    columns.append(Column("examples", [Cell(f"{c.examples:,}", c.examples) for c in curves]))
    return tables.row_table(Table(caption, columns))

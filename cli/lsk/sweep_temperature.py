"""`lsk sweep-temperature`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lsk.support import options, score_lines, tables
from lsk_engine.tasks.registry import needing_extra


class Temperatures(click.ParamType):
    """`FIRST:LAST:STEP`, including the last one, or comma-separated numbers."""

    name = "temperatures"

    def convert(self, value, param, ctx):
        """Returns a sorted tuple of floats."""
        if isinstance(value, tuple):
            return value
        try:
            if ":" in value:
                first, last, step = map(float, value.split(":"))
                # Rounded, so that 0.7 + 3 × 0.1 is 1.0.
                count = math.floor((last - first) / step + 1e-6) + 1
                found = [round(first + i * step, 10) for i in range(count)]
            else:
                found = [float(part) for part in value.split(",")]
        except (ValueError, ZeroDivisionError, OverflowError):
            found = []
        if not found or not all(0 < t < math.inf for t in found):
            self.fail(
                "Expected temperatures > 0 as FIRST:LAST:STEP or separated by commas. "
                f"Received: {value!r}",
                param,
                ctx,
            )
        return tuple(sorted(set(found)))


@click.command(name="sweep-temperature", short_help="Score runs at several temperatures.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--temperatures",
    type=Temperatures(),
    default="0.7:1.6:0.1",
    show_default=True,
    help="FIRST:LAST:STEP, or comma-separated numbers.",
)
@options.beam()
@options.unsmooth
@click.option("--split", default="validation", show_default=True, help="Split to score.")
@options.image("temperature-sweep.png")
@options.backend
@options.as_json
@options.verbosity
def sweep_temperature(
    runs: tuple[Path, ...],
    temperatures: tuple[float, ...],
    beam: int | None,
    unsmooth: float | str | None,
    split: str,
    output: Path,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Decode and score RUNS at several temperatures, with NLL and ECE: the paper's Figure 4.

    \b
    lsk sweep-temperature runs/alpha0 runs/alpha0.1 --temperatures 0.7:1.6:0.1

    Finished points are stored in the runs, so that an interrupted sweep can be resumed.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.runs.stored_run import open_run

    decoding = {"beam_size": beam, "unsmooth": unsmooth}
    stored = [open_run(run, backend, decoding=decoding) for run in runs]
    with needing_extra(stored[0].task):
        from lsk_engine.scoring.sweeps import sweep_temperature as sweep

        rows = sweep(stored, temperatures, output, options.reporter(verbose, quiet), split=split)
    if as_json:
        options.echo_json({"schema": 1, "split": split, "rows": rows})
        return
    labels, better = score_lines.score_labels(run.directory for run in stored)
    for run in dict.fromkeys(row["run"] for row in rows):
        of_run = [row for row in rows if row["run"] == run]
        head = f"α = {of_run[0]['alpha']:g}, {split} ({run})"
        tables.echo(tables.paragraph(head), tables.row_table(_table(of_run, labels, better)), "")
    tables.echo(tables.note(_NOTE))
    tables.echo_saved(output)


_NOTE = (
    "T divides the logits; above 1, probabilities become more even. In brackets: 95 % interval "
    "over the examples. NLL and ECE are computed with teacher forcing."
)
_COMMON = {"nll": ("NLL (nats)", "less"), "ece": ("ECE", "less")}


def _table(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str], better: Mapping[str, str]):
    from lsk_engine.reports.tables import Column, Table, Value

    common = ("run", "alpha", "temperature", *_COMMON)
    own = [n for n in rows[0] if n not in common and not n.endswith(("_low", "_high"))]
    columns = [Column("T", [f"{row['temperature']:g}" for row in rows])]
    for name in (*own, *_COMMON):
        label, kind = _COMMON.get(name, (labels.get(name, name), better.get(name)))
        ends = [[row.get(f"{name}_{end}", math.nan) for end in ("low", "high")] for row in rows]
        values = [Value(row[name], *of) for row, of in zip(rows, ends, strict=True)]
        columns.append(Column(label, values, kind))  # type: ignore[arg-type]
    return Table("", columns)

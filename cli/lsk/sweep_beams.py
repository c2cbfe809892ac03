"""`lsk sweep-beams`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lsk.support import options, score_lines, tables
from lsk_engine.tasks.registry import needing_extra


class Beams(click.ParamType):
    """Comma-separated integers of at least 1."""

    name = "beams"

    def convert(self, value, param, ctx):
        """Returns a sorted tuple of ints."""
        if isinstance(value, tuple):
            return value
        try:
            found = sorted({int(part) for part in value.split(",")})
        except ValueError:
            found = []
        if not found or found[0] < 1:
            self.fail(
                f"Expected whole numbers of beams from 1, separated by commas. Received: {value!r}",
                param,
                ctx,
            )
        return tuple(found)


class UnsmoothList(click.ParamType):
    """Comma-separated values of `--unsmooth`."""

    name = "undone"

    def convert(self, value, param, ctx):
        """Returns a tuple of floats and `"fitted"`."""
        if isinstance(value, tuple):
            return value
        one = options.FloatOrFitted("A")
        return tuple(one.convert(part.strip(), param, ctx) for part in value.split(","))


@click.command(name="sweep-beams", short_help="Score runs with several numbers of beams.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--beams",
    type=Beams(),
    default="1,4,16",
    show_default=True,
    help="Numbers of beams; 1 is greedy search.",
)
@click.option(
    "--unsmooth",
    type=UnsmoothList(),
    metavar="A|FITTED,…",
    help="Remove label smoothing at decoding: α, or `fitted` for that of the training; 0 for none. "
    "[default: the run's, 0]",
)
@click.option("--split", default="validation", show_default=True, help="Split to score.")
@options.batch_size("Examples")
@options.image("beam-sweep.png")
@options.backend
@options.as_json
@options.verbosity
def sweep_beams(
    runs: tuple[Path, ...],
    beams: tuple[int, ...],
    unsmooth: tuple[float | str, ...] | None,
    split: str,
    batch_size: int | None,
    output: Path,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Decode and score RUNS with several numbers of beams.

    \b
    lsk sweep-beams runs/hard-seed* runs/smoothed-seed* --beams 1,4,16,64
    lsk sweep-beams runs/smoothed-seed* --beams 1,4,16,64 --unsmooth 0,fitted

    Runs that differ only in the seed are averaged, with intervals over the seeds. Finished points
    are stored in the runs, so that an interrupted sweep can be resumed.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.runs.run_directory import RunDirectory
    from lsk_engine.runs.stored_run import open_run
    from lsk_engine.studies.compare_runs import beam_means, group_by_seed

    searched = ["beam_size", "batch_size", *(["unsmooth"] if unsmooth else [])]
    groups = group_by_seed(
        [RunDirectory.open(run) for run in runs], without=[f"decoding.{name}" for name in searched]
    )
    decoding = {"batch_size": batch_size, "beam_size": beams[0]}
    stored = [open_run(run, backend, decoding=decoding) for run in runs]
    _, better = score_lines.score_labels(run.directory for run in stored)
    with needing_extra(stored[0].task):
        from lsk_engine.scoring.sweeps import sweep_beams as sweep

        reporter = options.reporter(verbose, quiet)
        rows, labels = sweep(stored, beams, unsmooth or (None,), reporter, split=split)
    means = beam_means(rows, groups, list(labels))
    _draw(means, labels, f"Scores by number of beams, {split}", output)
    if as_json:
        found = {"schema": 1, "split": split, "rows": rows, "means": means}
        options.echo_json(found)
        return
    for name in dict.fromkeys(row["name"] for row in means):
        of_name = [row for row in means if row["name"] == name]
        seeds = of_name[0]["seeds"]
        head = f"{name}, {split}" + f", means of {seeds} seeds" * (seeds > 1)
        table = _table(of_name, labels, better)
        tables.echo(tables.paragraph(head), tables.row_table(table), "")
    counts = {row["seeds"] for row in means}
    notes = [_OVER_SEEDS] * (max(counts) > 1) + [_OVER_EXAMPLES] * (min(counts) == 1)
    tables.echo(tables.note(" ".join(notes)))
    tables.echo_saved(output)


_OVER_SEEDS = (
    "In brackets: 95 % interval by Student's t over the seeds; differences are paired by seed, "
    "without correction for multiple comparisons."
)
_OVER_EXAMPLES = (
    "For a single run, in brackets: 95 % interval over the examples; differences have none."
)


def _draw(
    means: Sequence[Mapping[str, Any]], labels: Mapping[str, str], title: str, output: Path
) -> None:
    from ls_keras.plots import beam_panels, save_plot

    drawn = [name for name in dict.fromkeys((*list(labels)[:1], "length_ratio")) if name in labels]
    save_plot(beam_panels, means, output, scores=drawn, labels=labels, title=title)


def _table(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str], better: Mapping[str, str]):
    from lsk_engine.reports.tables import Column, Table, Value
    from lsk_engine.studies.compare_runs import BY_BEAM, BY_UNDOING

    smallest = min(row["beam_size"] for row in rows)
    first, *others = labels
    shown = [
        (first, labels[first], False),
        (BY_BEAM, f"{labels[first]}, from beam {smallest}", True),
        (BY_UNDOING, f"{labels[first]}, from undoing", True),
        *((name, labels[name], False) for name in others),
    ]
    columns = [Column("Beams", [f"{row['beam_size']:,}" for row in rows])]
    for name, label, signed in shown:
        parts = [
            [
                math.nan if row[key] is None else row[key]
                for key in (name, f"{name}_low", f"{name}_high")
            ]
            for row in rows
        ]
        if not all(math.isnan(value) for value, *_ in parts):
            kind = better.get(first if signed else name)
            values = [Value(*of_row) for of_row in parts]
            columns.append(Column(label, values, kind, signed))  # type: ignore[arg-type]
    return Table("", columns)

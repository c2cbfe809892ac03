"""`lsk show`."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ls_base.errors import shell_command
from lsk.support import options, score_lines, tables

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Returns a curve as bars of eight heights, from the least value to the largest.

    Args:
        values: Its values; of more than there are columns, neighbors are averaged.
        width: Columns, at most.

    Example:
    >>> sparkline([1, 2, 3, 8], 4), sparkline([8, 8, 1, 1], 2), sparkline([5, 5], 9)
    ('▁▂▃█', '█▁', '▁▁')
    """
    known = [value for value in values if math.isfinite(value)]
    if not known or width < 1:
        return ""
    count = min(width, len(known))
    ends = [round(n * len(known) / count) for n in range(count + 1)]
    means = [sum(known[low:high]) / (high - low) for low, high in itertools.pairwise(ends)]
    low, high = min(means), max(means)
    steps = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * steps)] for mean in means)


if TYPE_CHECKING:
    from lsk_engine.reports.run_files import ReadRun

_CURVE = 24  # columns


@click.command(short_help="Show what a run is and how it went.")
@click.argument("run", type=click.Path(path_type=Path))
@options.as_json
def show(run: Path, as_json: bool) -> None:
    """Show the configuration, learning curves, scores and calibration of RUN; reads files only."""
    from os.path import lexists

    from lsk_engine.reports.run_files import read_run
    from lsk_engine.reports.score_tables import LOSS, run_tables
    from lsk_engine.runs.run_directory import RunDirectory

    directory = RunDirectory.open(run)
    config = directory.read_config()
    if as_json:
        metrics = directory.read_metrics() if lexists(directory.metrics_file) else None
        scores = None if metrics is None else metrics.to_dict()
        whole = {
            "schema": 1,
            "config": config,
            "history": directory.read_history(),
            "metrics": scores,
        }
        options.echo_json(whole)
        return
    found = read_run("", run)
    # What is damaged beside the scores is a warning; a run without scores is no damaged one.
    metrics = found.metrics
    if metrics is None and lexists(directory.metrics_file):
        directory.read_metrics()  # which says what is wrong with them
    click.echo(f"Run: {run}")
    click.echo(f"task {config['task']}, preset {config['preset']}")
    tables.echo(tables.plain_table(_facts(found)), "")
    curves = list(_curves(found))
    if curves:
        head = ("over the steps", "", "first", "last", "best", "at step")
        tables.echo(tables.plain_table(curves, head, right=(2, 3, 4, 5)), "")
    for table in run_tables([found], LOSS):
        tables.echo(tables.transposed_table(table))
    calibration = list(_calibration(found))
    if calibration:
        tables.echo("", *calibration)
    if metrics is not None:
        score_lines.echo_notes(metrics.to_dict())
    for problem in found.problems:
        click.echo(f"Warning: {problem}")
    if metrics is None:
        click.echo(_unfinished(found))


def _unfinished(found: "ReadRun") -> str:
    from lsk_engine.runs.listing import is_running

    run = found.directory
    if is_running(run):
        step = found.history[-1]["step"] if found.history else 0
        return f"running, step {step:,}"
    return f"unfinished; go on with: {shell_command('lsk', 'train', '--resume', run.path)}"


def _facts(found: "ReadRun") -> Iterator[tuple[str, str]]:
    """Yields what the run is made of, was taught by, and has beside its scores."""
    config: dict[str, Any] = dict(found.config or {})
    for part, values in config.items():
        if isinstance(values, dict):
            shown = ", ".join(
                f"{k}={_plain(v)}" for k, v in values.items() if v not in (None, [], "")
            )
            yield part, shown
    if found.starts:
        first = found.starts[0]
        yield "started", ", ".join(str(first[k]) for k in ("started", "backend") if first.get(k))
    students = _students(found)
    if students:
        yield "students", ", ".join(students)
    if found.metrics is not None and found.metrics.seconds:
        from lsk_engine.progress import duration

        yield "took", duration(found.metrics.seconds)
    if found.information:
        last = found.information[-1]
        yield (
            "information",
            f"{last.mutual_information:.3f} [{last.low:.3f}, {last.high:.3f}] nats between "
            f"examples and logits, at step {last.step:,} (lsk probe)",
        )
    yield from _sweeps(found)
    if found.projections is not None:
        yield "projection", f"of {found.projections.split} (lsk project)"
    pictures = sorted(file.name for file in found.directory.evaluation.glob("*.png"))
    if pictures:
        yield "pictures", ", ".join(pictures)


def _sweeps(found: "ReadRun") -> Iterator[tuple[str, str]]:
    from lsk_engine.reports.run_files import swept_beams, swept_temperatures

    for split, points in found.sweeps.items():
        if by_temperature := list(itertools.chain(*swept_temperatures(points))):
            best = min(by_temperature, key=lambda p: float("inf") if p.nll is None else p.nll)
            at = sorted({point.temperature for point in by_temperature})
            yield (
                f"sweep, {split}",
                f"{len(at)} temperatures, {at[0]:g} … {at[-1]:g}; least NLL at "
                f"T = {best.temperature:g}",
            )
        by_beam = [p.beam_size or 0 for of in swept_beams(points).values() for p in of]
        if by_beam:
            yield f"beams, {split}", ", ".join(f"{size:,}" for size in sorted({*by_beam}))


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _students(found: "ReadRun") -> list[str]:
    """Returns the runs beside this one that name it as their teacher."""
    from ls_base.errors import LsKerasError
    from lsk_engine.runs.run_directory import RunDirectory

    path, names = found.directory.path.absolute(), []
    for file in sorted(path.parent.glob("*/config.json"))[:1000]:
        try:
            taught = RunDirectory(file.parent).read_config().get("distillation")
        except LsKerasError:
            continue  # another run's damage is not told here
        if taught and taught.get("teacher") == str(path):
            names.append(file.parent.name)
    return names


def _curves(found: "ReadRun") -> Iterator[tuple[str, ...]]:
    """Yields each quantity of the history as a curve and its first, last and best value."""
    most = {"accuracy": max}
    for split, what in (("train", "training"), ("validation", "validation")):
        entries = [(entry["step"], entry[split]) for entry in found.history]  # type: ignore[literal-required]
        for name in dict.fromkeys(name for _, values in entries for name in values):
            points = [(step, values[name]) for step, values in entries if name in values]
            best = most.get(name, min)(points, key=lambda point: point[1])
            columns = max(8, min(_CURVE, tables.width() - 52))
            yield (
                f"{what} {_NAMES.get(name, name)}",
                sparkline([value for _, value in points], columns),
                *_alike(points[0][1], points[-1][1], best[1]),
                f"{best[0]:,}",
            )


_NAMES = {"nll": "NLL", "ece": "ECE"}


def _alike(*values: float) -> Sequence[str]:
    """Returns numbers with as many digits after the point."""
    from lsk_engine.reports.tables import decimals, number

    digits = decimals(values)
    return [number(value, digits) for value in values]


def _calibration(found: "ReadRun") -> Iterator[Any]:
    """Yields what `lsk calibrate` found, and NLL and ECE before and after."""
    if found.calibration is None:
        return
    whole = found.directory.read(found.directory.calibration_file, dict[str, Any])
    yield from calibration(whole)


def calibration(results: dict[str, Any]) -> Iterator[Any]:
    """Yields what `lsk calibrate` has to tell.

    Args:
        results: What `calibration.json` holds.
    """
    temperature = results.get("temperature")
    yield f"T = {temperature:.4f}" if temperature is not None else f"{results['method']} scaling"
    splits = {
        split: scores
        for split, scores in results.items()
        if isinstance(scores, dict) and {"before", "after"} <= scores.keys()
    }
    if not splits:
        return
    names = [f"{split}, {when}" for split in splits for when in ("before", "after")]
    columns = [of[when] for of in splits.values() for when in ("before", "after")]
    rows = []
    for score, (label, arrow) in _CALIBRATED.items():
        if all(score in of for of in columns):
            rows.append((f"{label} {arrow}", _alike(*(float(of[score]) for of in columns))))
    yield from tables.grid("calibration", names, rows)


_CALIBRATED = {
    "ece": ("ECE", "↓"),
    "nll": ("NLL (nats)", "↓"),
    "brier": ("Brier", "↓"),
    "accuracy": ("accuracy", "↑"),
}

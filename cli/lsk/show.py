"""`lsk show`."""

import itertools
import math
from collections.abc import Iterator, Sequence
from os.path import lexists
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ls_base.errors import LsKerasError, shell_command
from lsk.support import options, score_lines, tables

if TYPE_CHECKING:
    from lsk_engine.reports.run_files import ReadRun

_BARS = "▁▂▃▄▅▆▇█"
_MAX_CURVE = 24  # columns of a sparkline
_MAX_RUNS = 1000  # runs beside this one that may be its students
_NAMES = {"nll": "NLL", "ece": "ECE"}
_CALIBRATED = {"ece": "ECE ↓", "nll": "NLL (nats) ↓", "brier": "Brier ↓", "accuracy": "accuracy ↑"}


@click.command(short_help="Show what a run is and how it went.")
@click.argument("run", type=click.Path(path_type=Path))
@options.as_json
def show(run: Path, as_json: bool) -> None:
    """Show the configuration, learning curves, scores and calibration of RUN; reads files only."""
    from lsk_engine.reports.run_files import read_run
    from lsk_engine.reports.score_tables import LOSS, run_tables
    from lsk_engine.runs.run_directory import RunDirectory

    directory = RunDirectory.open(run)
    config = directory.read_config()
    # Damaged scores are an error, other damaged files a warning.
    metrics = directory.read_metrics() if lexists(directory.metrics_file) else None
    scores = None if metrics is None else metrics.to_dict()
    if as_json:
        history = directory.read_history()
        options.echo_json({"schema": 1, "config": config, "history": history, "metrics": scores})
        return
    found = read_run("", run)
    click.echo(f"Run: {run}")
    click.echo(f"task {config['task']}, preset {config['preset']}")
    tables.echo(tables.plain_table(_facts(found)), "")
    if curves := list(_curves(found)):
        head = ("over the steps", "", "first", "last", "best", "at step")
        tables.echo(tables.plain_table(curves, head, right=(2, 3, 4, 5)), "")
    tables.echo(*(tables.transposed_table(table) for table in run_tables([found], LOSS)))
    if found.calibration is not None:
        calibration = found.directory.read(found.directory.calibration_file, dict[str, Any])
        tables.echo("", *calibration_parts(calibration))
    if scores is not None:
        score_lines.echo_notes(scores)
    tables.echo(*(tables.paragraph(problem, first="Warning: ") for problem in found.problems))
    if metrics is None:
        click.echo(_state(found))


def sparkline(values: Sequence[float], width: int) -> str:
    """Returns a curve as bars of eight heights, from the lowest value to the highest.

    Args:
        values: The values; neighbors are averaged if there are more than columns.
        width: The largest number of columns.

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


def calibration_parts(results: dict[str, Any]) -> Iterator[Any]:
    """Yields the fitted temperature, and a table of scores before and after calibration.

    Args:
        results: The contents of `calibration.json`.
    """
    temperature = results.get("temperature")
    yield f"T = {temperature:.4f}" if temperature is not None else f"{results['method']} scaling"
    columns = {
        f"{split}, {when}": scores[when]
        for split, scores in results.items()
        if isinstance(scores, dict) and {"before", "after"} <= scores.keys()
        for when in ("before", "after")
    }
    rows = [
        (label, _align(*(float(of[score]) for of in columns.values())))
        for score, label in _CALIBRATED.items()
        if columns and all(score in of for of in columns.values())
    ]
    if rows:
        yield from tables.grid("calibration", list(columns), rows)


def _state(found: "ReadRun") -> str:
    from lsk_engine.runs.listing import is_running

    run = found.directory
    if is_running(run):
        step = found.history[-1]["step"] if found.history else 0
        return f"running, step {step:,}"
    return f"unfinished; continue with: {shell_command('lsk', 'train', '--resume', run.path)}"


def _facts(found: "ReadRun") -> Iterator[tuple[str, str]]:
    """Yields the settings, the origin and the further results of a run."""
    from lsk_engine.progress import duration

    config: dict[str, Any] = dict(found.config or {})
    for part, values in config.items():
        if isinstance(values, dict):
            shown = (f"{k}={_plain(v)}" for k, v in values.items() if v not in (None, [], ""))
            yield part, ", ".join(shown)
    if found.starts:
        first = found.starts[0]
        yield "started", ", ".join(str(first[k]) for k in ("started", "backend") if first.get(k))
    if students := _students(found):
        yield "students", ", ".join(students)
    if found.metrics is not None and found.metrics.seconds:
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
    if pictures := sorted(file.name for file in found.directory.evaluation.glob("*.png")):
        yield "pictures", ", ".join(pictures)


def _sweeps(found: "ReadRun") -> Iterator[tuple[str, str]]:
    from lsk_engine.reports.run_files import swept_beams, swept_temperatures

    for split, points in found.sweeps.items():
        if by_temperature := list(itertools.chain(*swept_temperatures(points))):
            best = min(by_temperature, key=lambda p: math.inf if p.nll is None else p.nll)
            at = sorted({point.temperature for point in by_temperature})
            yield (
                f"sweep, {split}",
                f"{len(at)} temperatures, {at[0]:g} … {at[-1]:g}; lowest NLL at "
                f"T = {best.temperature:g}",
            )
        if beams := {p.beam_size or 0 for of in swept_beams(points).values() for p in of}:
            yield f"beams, {split}", ", ".join(f"{size:,}" for size in sorted(beams))


def _students(found: "ReadRun") -> list[str]:
    """Returns the runs in the same folder that have this run as their teacher."""
    from lsk_engine.runs.run_directory import RunDirectory

    path, names = found.directory.path.absolute(), []
    for file in sorted(path.parent.glob("*/config.json"))[:_MAX_RUNS]:
        try:
            distillation = RunDirectory(file.parent).read_config().get("distillation")
        except LsKerasError:
            continue  # damage of other runs is not reported here
        if distillation and distillation.get("teacher") == str(path):
            names.append(file.parent.name)
    return names


def _curves(found: "ReadRun") -> Iterator[tuple[str, ...]]:
    """Yields each quantity of the history as a sparkline and its first, last and best value."""
    columns = max(8, min(_MAX_CURVE, tables.width() - 52))
    for split, what in (("train", "training"), ("validation", "validation")):
        entries = [(entry["step"], entry[split]) for entry in found.history]  # type: ignore[literal-required]
        for name in dict.fromkeys(name for _, values in entries for name in values):
            points = [(step, values[name]) for step, values in entries if name in values]
            better = max if name == "accuracy" else min
            step, best = better(points, key=lambda point: point[1])
            yield (
                f"{what} {_NAMES.get(name, name)}",
                sparkline([value for _, value in points], columns),
                *_align(points[0][1], points[-1][1], best),
                f"{step:,}",
            )


def _align(*values: float) -> Sequence[str]:
    """Returns numbers with equally many decimals."""
    from lsk_engine.reports.tables import decimals, number

    digits = decimals(values)
    return [number(value, digits) for value in values]


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

"""`lsk report`."""

from pathlib import Path

import click

from lsk.support import options


@click.command(short_help="Write one HTML page about runs or a study.")
@click.argument("folders", metavar="DIR…", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Page to write. [default: report.html in the only DIR, or in the current folder]",
)
@click.option("--anonymous", is_flag=True, help="Leave out absolute paths and your user name.")
@options.quiet
def report(folders: tuple[Path, ...], out: Path | None, anonymous: bool, quiet: bool) -> None:
    """Write one self-contained HTML page about the runs and studies in DIR….

    \b
    lsk report runs/study-smoothing-image-digits-mlp
    lsk report runs/hard runs/smoothed --out hard-and-smoothed.html

    The page shows verdicts, scores, curves, diagrams, outputs beside references, and the command
    and settings of every run. Reads files only; damaged files are reported and left out.
    """  # noqa: D301 - \b stops Click from rewrapping lines
    from lsk_engine.reports.page import write_report

    result = write_report(folders, out, anonymous=anonymous)
    reporter = options.reporter(verbose=False, quiet=quiet)
    for problem in result.problems:
        reporter.warning(f"left out: {problem}")
    click.echo(f"Saved: {result.file}, {result.runs} run{'s' * (result.runs != 1)}")

"""`lsk report`."""

from pathlib import Path

import click

from lsk.support import options


@click.command(short_help="Write one HTML page about runs or a study.")
@click.argument("folders", metavar="DIR…", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page. [default: report.html in the only DIR, else here]",
)
@options.quiet
def report(folders: tuple[Path, ...], out: Path | None, quiet: bool) -> None:
    """Write one self-contained HTML page about the runs and studies in DIR….

    \b
    lsk report runs/study-smoothing-image-digits-mlp
    lsk report runs/hard runs/smoothed --out hard-and-smoothed.html

    Verdicts first, then scores, curves, diagrams, outputs beside references, and the command of
    every run. Reads files only, and shows what they hold; a damaged one is told and left out.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.reports.page import write_report

    written = write_report(folders, out)
    reporter = options.reporter(verbose=False, quiet=quiet)
    for problem in written.problems:
        reporter.warning(f"left out: {problem}")
    click.echo(f"Saved: {written.file}, {written.runs} run{'s' * (written.runs != 1)}")

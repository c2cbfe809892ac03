"""`lsk compare`."""

from pathlib import Path

import click

from lsk.support import options, tables


@click.command(short_help="Compare finished runs: settings, scores, differences by seed.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--split", default="test", show_default=True, help="Split of the scores.")
@options.as_json
def compare(runs: tuple[Path, ...], split: str, as_json: bool) -> None:
    """Compare finished RUNS: settings that differ, scores, differences by seed.

    lsk compare runs/hard-seed* runs/smoothed-seed*

    Runs that differ only in the seed form a group; the other groups are compared with the first,
    seed by seed. Reads files only. `lsk study` trains such groups and decides claims.
    """
    from lsk_engine.runs.run_directory import RunDirectory
    from lsk_engine.studies.compare_runs import compare_runs

    found = compare_runs([RunDirectory.open(run) for run in runs], split)
    if as_json:
        options.echo_json(found.to_dict())
        return
    from lsk_engine.reports.score_tables import comparison

    for number, table in enumerate(comparison(found)):
        tables.echo(*([""] if number else []), tables.transposed_table(table))

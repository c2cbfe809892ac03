"""`lsk evaluate`."""

from pathlib import Path

import click

from lsk import options
from lsk.results import show
from lsk_engine.tasks.registry import needing_extra


@click.command(short_help="Score a trained run again.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--calibrated", is_flag=True, help="Score the model that `lsk calibrate` saved.")
@options.backend
@options.as_json
@options.verbosity
def evaluate(
    run: Path, calibrated: bool, backend: str | None, as_json: bool, verbose: bool, quiet: bool
) -> None:
    """Score the saved model of RUN on its validation and test data.

    Writes scores, decoded outputs, reliability curves and their diagrams into RUN.
    """
    from lsk_engine.runs.stored_run import open_run

    reporter = options.reporter(verbose, quiet)
    reporter.going_on("loading Keras")
    directory, task, config = open_run(run, backend)
    with needing_extra(task):
        from lsk_engine.scoring.evaluate import evaluate as score

        results = score(task, config, directory, reporter, calibrated=calibrated)
    show(results, as_json)

"""`lsk evaluate`."""

from pathlib import Path

import click

from ls_base.errors import InputError
from lsk import options
from lsk.results import show
from lsk_engine.tasks.registry import needing_extra


@click.command(short_help="Score a trained run again.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--calibrated", is_flag=True, help="Score the model that `lsk calibrate` saved.")
@options.settings("Search otherwise: decoding.KEY=VALUE. The run then keeps the scores it has.")
@options.backend
@options.as_json
@options.verbosity
def evaluate(
    run: Path,
    calibrated: bool,
    assignments: tuple[str, ...],
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Score the saved model of RUN on its validation and test data.

    Writes scores, decoded outputs, reliability curves and their diagrams into RUN. With --set,
    scores are shown and nothing is written:

    lsk evaluate RUN --set decoding.beam_size=16 --set decoding.unsmooth=fitted
    """
    from lsk_engine.runs.stored_run import open_run

    decoding = {}
    for key, value in options.assignments(assignments).items():
        part, _, name = key.partition(".")
        if part != "decoding" or not name:
            raise InputError(
                "Expected --set decoding.KEY=VALUE: all else was decided when the run was trained. "
                f"Received: {key}"
            )
        decoding[name] = value
    directory, task, config = open_run(run, backend, decoding=decoding)
    with needing_extra(task):
        from lsk_engine.scoring.evaluate import evaluate as score

        reporter = options.reporter(verbose, quiet)
        results = score(task, config, directory, reporter, calibrated=calibrated, kept=not decoding)
    show(results, as_json)

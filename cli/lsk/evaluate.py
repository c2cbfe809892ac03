"""`lsk evaluate`."""

from pathlib import Path

import click

from ls_base.errors import InputError
from lsk.support import options
from lsk.support.score_lines import echo_scores
from lsk_engine.tasks.registry import needing_extra


@click.command(short_help="Score a trained run again, or on new data.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--calibrated", is_flag=True, help="Score the model that `lsk calibrate` saved.")
@click.option("--data", help="New data to score: a name or a path.")
@options.max_examples
@options.settings("Decoding setting, decoding.…, other than the run's.")
@click.option("--name", help="Name of the results on new data. [default: that of the data]")
@options.backend
@options.as_json
@options.verbosity
def evaluate(
    run: Path,
    calibrated: bool,
    data: str | None,
    max_examples: int | None,
    assignments: tuple[str, ...],
    name: str | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Score the saved model of RUN on its validation and test data, or on new data.

    \b
    lsk evaluate RUN
    lsk evaluate RUN --data FOLDER
    lsk evaluate RUN --data FOLDER --set decoding.beam_size=1 --max-examples 100

    Writes scores, decoded outputs, reliability curves and diagrams into RUN. Results on new data,
    with other decoding settings or on fewer examples go into RUN/new-data/NAME, with the scores at
    other temperatures.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.runs.stored_run import open_run

    decoding = {}
    for key, value in options.assignments(assignments).items():
        part, _, field = key.partition(".")
        if part != "decoding" or not field:
            raise InputError(
                "Expected --set decoding.…: other settings of a run are fixed. "
                f"Received: --set {key}"
            )
        decoding[field] = value
    new = data is not None or bool(decoding) or max_examples is not None
    if name is not None and not new:
        raise InputError(
            "Expected --name with --data, --set or --max-examples: a run's own scores have no "
            f"name. Received: --name {name}"
        )
    if calibrated and new:
        raise InputError(
            "Expected --calibrated alone: results on new data include the scores after "
            "calibration. Received: --data, --set or --max-examples as well"
        )
    if max_examples is not None and max_examples < 1:
        raise InputError(f"Expected --max-examples of at least 1. Received: {max_examples}")
    reporter = options.reporter(verbose, quiet)
    reporter.start_stage("loading Keras")
    directory, task, config = open_run(run, backend)
    with needing_extra(task):
        from lsk_engine.scoring.evaluate import evaluate as score
        from lsk_engine.scoring.evaluate_new_data import evaluate_new

        if new:
            results = evaluate_new(
                task,
                config,
                directory,
                reporter,
                source=data,
                decoding=decoding,
                max_examples=max_examples,
                name=name,
            )
        else:
            results = score(task, config, directory, reporter, calibrated=calibrated)
    echo_scores(results, as_json)

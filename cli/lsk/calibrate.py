"""`lsk calibrate`."""

from pathlib import Path

import click

from lsk.show import calibration_parts
from lsk.support import options, tables
from lsk_engine.tasks.registry import needing_extra


@click.command(short_help="Fit a temperature to a run, on its validation data.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(["temperature", "vector"]),
    default="temperature",
    show_default=True,
    help="One temperature, or a scale and a bias for each class.",
)
@click.option(
    "--objective",
    type=click.Choice(["nll", "ece"]),
    default="nll",
    show_default=True,
    help="Score that the temperature minimizes.",
)
@options.backend
@options.as_json
@options.verbosity
def calibrate(
    run: Path,
    method: str,
    objective: str,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Fit a scaling of RUN's logits on its validation data, and score it on its test data.

    The calibrated model is saved beside the original; `lsk evaluate --calibrated` scores it.
    """
    from lsk_engine.runs.stored_run import open_run

    reporter = options.reporter(verbose, quiet)
    reporter.start_stage("loading Keras")
    directory, task, config = open_run(run, backend)
    with needing_extra(task):
        from lsk_engine.scoring.calibrate import calibrate as fit

        results = fit(task, config, directory, reporter, method=method, objective=objective)  # type: ignore[arg-type]
    if as_json:
        options.echo_json(results)
        return
    tables.echo(*calibration_parts(results))
    file = directory.calibrated_model_file
    click.echo(f"Saved: {file}; to load it in Python:")
    click.echo("  import keras, ls_keras  # ls_keras registers the layers")
    click.echo(f'  model = keras.saving.load_model("{file}")')

"""`lsk train`."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ls_base.errors import InputError, shell_command
from lsk.support import distributed_options, options
from lsk.support.score_lines import echo_scores
from lsk_engine.devices.backend import load_backend
from lsk_engine.settings.resolving import resolve_epochs_and_steps
from lsk_engine.settings.training import PRECISIONS, SAVED_WEIGHTS, SMOOTHINGS
from lsk_engine.tasks.registry import load_task, needing_extra

# Command-line option -> configuration key.
_KEYS = {
    "loss": "training.loss",
    "alpha": "training.alpha",
    "smoothing": "training.smoothing",
    "model": "model.name",
    "data": "data.source",
    "epochs": "training.epochs",
    "steps": "training.steps",
    "batch_size": "training.batch_size",
    "learning_rate": "optimizer.learning_rate",
    "precision": "training.precision",
    "strategy": "training.strategy",
    "devices": "training.devices",
    "seed": "training.seed",
    "max_examples": "training.max_examples",
    "patience": "training.patience",
    "save_weights": "training.save_weights",
}


@click.command(short_help="Train a model, with or without label smoothing, and score it.")
@click.option("--task", "task_name", help="Task to train; `lsk tasks` lists them.")
@click.option("--preset", help="A recipe of the task. [default: the task's first]")
@click.option(
    "--loss",
    metavar="NAME",
    help="Training loss, such as max_sup, focal_ce or confidence_penalty. [default: smoothed_ce]",
)
@click.option(
    "--alpha", type=float, help="Label smoothing α in [0, 1]; each class gets α/K. [default: 0]"
)
@click.option(
    "--smoothing", type=click.Choice(SMOOTHINGS), help="Distribution of the smoothed mass."
)
@options.model
@options.data
@click.option("--epochs", type=int, help="Number of epochs.")
@click.option("--steps", type=int, help="Number of optimizer steps, instead of --epochs.")
@click.option("--batch-size", type=int, help="Examples per batch, over all devices.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="Dtype policy.")
@options.devices
@distributed_options.options
@options.backend
@click.option("--seed", type=int, help="Random seed. [default: 0]")
@options.max_examples
@click.option(
    "--run-dir", type=click.Path(path_type=Path), help="Run directory to create. [default: runs/…]"
)
@click.option(
    "--patience", type=int, metavar="N", help="Stop after N validations without improvement."
)
@click.option(
    "--save-weights",
    type=click.Choice(SAVED_WEIGHTS),
    help="Weights to save: the last, or those of the best validation. [default: last]",
)
@click.option(
    "--init-from",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Start from the weights of a finished run.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="Resume an interrupted run or, with --epochs or --steps, extend a finished one.",
)
@options.config_file
@options.settings("Change any setting, for example model.layers=4.")
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard logs to RUN/tensorboard.")
@options.as_json
@options.verbosity
def train(
    task_name: str | None,
    preset: str | None,
    config_file: Path | None,
    tensorboard: bool,
    backend: str | None,
    run_dir: Path | None,
    init_from: Path | None,
    resume: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
    verbose: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Train a model, with or without label smoothing, and score it.

    \b
    lsk train --task translation --alpha 0.1
    lsk train --task translation --preset multi30k-tiny --data FOLDER
    lsk train --task keras --model FILE.py:build_model --data FILE.npz --alpha 0.1
    lsk train --task image --loss focal_ce --set training.loss_options.gamma=2
    lsk train --task translation --set model.layers=4 \\
        --set training.checkpoint_every=100
    lsk train --config FILE.toml --alpha 0.1  # `lsk settings` writes such a file
    lsk train --resume runs/translation-cldr-alpha0.1-seed0
    lsk train --task image --data FOLDER --init-from RUN --save-weights best
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.runs.naming import free_run_path
    from lsk_engine.runs.resuming import apply_changes
    from lsk_engine.runs.stored_run import open_run, read_run, with_init_from
    from lsk_engine.settings.resolving import resolve_config

    local_workers = distributed_options.configure_processes(chosen, backend, resume=bool(resume))
    overrides = settings(chosen, assignments)
    reporter = options.reporter(verbose, quiet)
    if resume:
        settled = {
            "--task": task_name,
            "--preset": preset,
            "--config": config_file,
            "--run-dir": run_dir,
            "--init-from": init_from,
        }
        if given := [f"{option} {value}" for option, value in settled.items() if value]:
            raise InputError(
                "Expected --resume RUN without options that the run has already settled. "
                f"Received: {', '.join(given)}"
            )
        if local_workers:
            run, task, config = read_run(resume)
            apply_changes(config, overrides)  # refused once, not by each process
            start_all(local_workers, run.path, reporter, resume=True)
        reporter.start_stage("loading Keras")
        run, task, config = open_run(resume, backend)
        config = apply_changes(config, overrides)
    else:
        task_name, preset, overrides = merge_config_file(config_file, task_name, preset, overrides)
        if task_name is None:
            raise InputError(
                "Expected --task NAME (see `lsk tasks`), --config FILE.toml that names it, or "
                "--resume RUN. Received: none"
            )
        task = load_task(task_name)
        config = resolve_config(task, preset, overrides, reporter.message)
        if init_from is not None:
            config = with_init_from(init_from, config)
        if local_workers:
            start_all(local_workers, run_dir or free_run_path(task, config), reporter)
        start_run(
            *(task, config, run_dir, reporter),
            backend=backend,
            tensorboard=tensorboard,
            as_json=as_json,
        )
        return
    with needing_extra(task):
        from lsk_engine.experiment import train_run

        show_scores(
            lambda: train_run(task, config, run, reporter, resume=True, tensorboard=tensorboard),
            as_json,
        )


def start_all(workers: int, run: Path, reporter: Any, *, resume: bool = False) -> None:
    """Runs several processes of this command, and exits with their exit code."""
    code = distributed_options.start_all(workers, run, resume=resume, warn=reporter.warning)
    if code and (run / "checkpoints").is_dir():
        command = shell_command("lsk", "train", "--resume", run, "--local-workers", workers)
        reporter.warning(f"resume with: {command}")
    raise click.exceptions.Exit(code)


def start_run(
    task, config, path: Path | None, reporter, *, backend: str | None, tensorboard, as_json
) -> None:
    """Loads Keras, then trains a new run and shows its scores."""
    from lsk_engine.devices.process_env import is_distributed
    from lsk_engine.runs.naming import free_run_path
    from lsk_engine.runs.run_directory import RunDirectory

    if not is_distributed():  # otherwise only Keras knows which process is the chief
        RunDirectory(path or free_run_path(task, config)).check_new()
    reporter.start_stage("loading Keras")
    load_backend(backend)
    with needing_extra(task):
        from lsk_engine.experiment import train_new_run

        show_scores(
            lambda: train_new_run(task, config, path, reporter, tensorboard=tensorboard), as_json
        )


def show_scores(train: Callable[[], dict[str, Any]], as_json: bool) -> None:
    """Trains and shows the scores; an interruption ends the command with its exit code."""
    from lsk_engine.training.checkpointing import Interrupted

    try:
        results = train()
    except Interrupted as stop:
        raise click.exceptions.Exit(stop.exit_code) from None
    if results:  # the other processes of a distributed run have none
        echo_scores(results, as_json)


def settings(chosen: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Returns the settings by dotted key that options and `--set` give."""
    overrides = {_KEYS[name]: value for name, value in chosen.items() if value is not None}
    return dict(resolve_epochs_and_steps(overrides | options.assignments(assignments)))


def merge_config_file(
    file: Path | None, task_name: str | None, preset: str | None, overrides: Mapping[str, Any]
) -> tuple[str | None, str | None, dict[str, Any]]:
    """Returns task, preset and settings, with those of `--config` where options give none."""
    if file is None:
        return task_name, preset, dict(overrides)
    from lsk_engine.settings.resolving import merge_settings
    from lsk_engine.settings.toml_files import read_settings

    found = read_settings(file)
    return task_name or found.task, preset or found.preset, merge_settings(found.values, overrides)

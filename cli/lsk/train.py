"""`lsk train`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ls_base.errors import FileError, InputError, MissingExtraError, shell_command
from lsk.support import distributed_options, options
from lsk.support.score_lines import echo_scores
from lsk_engine.devices.backend import load_backend
from lsk_engine.runs.resuming import remove_on_failed_start
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
# What a user mends before the same command is given again: the run's name is to be free then.
_MENDABLE = (InputError, MissingExtraError)


@click.command(short_help="Train a model, with or without label smoothing, and score it.")
@click.option("--task", "task_name", help="What to train; `lsk tasks` lists them.")
@click.option("--preset", help="A recipe of the task. [default: the task's first]")
@click.option(
    "--loss",
    metavar="NAME",
    help="Training loss, such as max_sup, focal_ce or confidence_penalty. [default: smoothed_ce]",
)
@click.option(
    "--alpha", type=float, help="Label smoothing α, 0 … 1 (α/K off the target). [default: 0]"
)
@click.option("--smoothing", type=click.Choice(SMOOTHINGS), help="What the mass α follows.")
@options.model
@options.data
@click.option("--epochs", type=int, help="Passes over the training data.")
@click.option("--steps", type=int, help="Optimizer steps, instead of epochs.")
@click.option("--batch-size", type=int, help="Examples at a time, over all devices.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="Arithmetic.")
@options.devices
@distributed_options.options
@options.backend
@click.option("--seed", type=int, help="Seed of everything random. [default: 0]")
@options.max_examples
@click.option(
    "--run-dir", type=click.Path(path_type=Path), help="Where the run goes. [default: runs/…]"
)
@click.option(
    "--patience", type=int, metavar="N", help="End after N validations without a better one."
)
@click.option(
    "--save-weights",
    type=click.Choice(SAVED_WEIGHTS),
    help="Which weights are saved, by validation. [default: last]",
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
    help="Go on with an interrupted run or, with --epochs or --steps, with a finished one.",
)
@options.config_file
@options.settings("Any other setting.")
@click.option(
    "--tensorboard", is_flag=True, help="Write RUN/tensorboard, too: curves and diagrams."
)
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
    from lsk_engine.runs.resuming import apply_changes
    from lsk_engine.runs.stored_run import open_run, read_run, with_init_from
    from lsk_engine.settings.resolving import resolve_config

    local_workers = distributed_options.find_place(chosen, backend, resume=bool(resume))
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
            apply_changes(config, overrides)  # refused here, not by each
            start_all(local_workers, run.path, reporter, resume=True)
        reporter.start_stage("loading Keras")
        run, task, config = open_run(resume, backend)
        config = apply_changes(config, overrides)
    else:
        task_name, preset, overrides = with_file(config_file, task_name, preset, overrides)
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
            start_all(local_workers, run_dir or free_path(task, config), reporter)
        begin(
            *(task, config, run_dir, reporter),
            backend=backend,
            tensorboard=tensorboard,
            as_json=as_json,
        )
        return
    run_to_end(
        *(task, config, run, reporter), resume=True, tensorboard=tensorboard, as_json=as_json
    )


def start_all(workers: int, run: Path, reporter: Any, *, resume: bool = False) -> None:
    """Ends this command with what came of several of it."""
    code = distributed_options.start_all(workers, run, resume=resume, say=reporter.warning)
    if code and (run / "checkpoints").is_dir():
        command = shell_command("lsk", "train", "--resume", run, "--local-workers", workers)
        reporter.warning(f"go on with: {command}")
    raise click.exceptions.Exit(code)


def begin(
    task, config, path: Path | None, reporter, *, backend: str | None, tensorboard, as_json
) -> None:
    """Trains a new run: loads Keras, reads the data, makes the run's directory, and `run_to_end`.

    In this order: what is wrong with the data leaves nothing behind. Where several processes train
    together it is the chief that reads and makes; all are told the directory's path.
    """
    from lsk_engine.devices.process_env import find_process, is_distributed
    from lsk_engine.runs.run_directory import RunDirectory

    if not is_distributed():  # else Keras has to be loaded to know who is the chief
        RunDirectory(path or free_path(task, config)).check_new()
    reporter.start_stage("loading Keras")
    load_backend(backend)
    if path is None and find_process().count > 1:
        raise InputError("Expected --run-dir with the same path for all processes. Received: none")
    if path is not None and follows():
        run, data = RunDirectory(path), None
    else:
        with needing_extra(task):
            from lsk_engine.experiment import read_data

            data = read_data(task, config, reporter)
        run = new_run(task, config, path)
    run_to_end(
        *(task, config, run, reporter),
        data=data,
        resume=False,
        tensorboard=tensorboard,
        as_json=as_json,
    )


def settings(chosen: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Returns the values by configuration key that options and `--set` give."""
    overrides = {_KEYS[name]: value for name, value in chosen.items() if value is not None}
    return dict(resolve_epochs_and_steps(overrides | options.assignments(assignments)))


def with_file(
    file: Path | None, task_name: str | None, preset: str | None, overrides: Mapping[str, Any]
) -> tuple[str | None, str | None, dict[str, Any]]:
    """Returns task, preset and settings with those of `--config`, to which the options' go first.

    A preset of the file is one of its task's.
    """
    if file is None:
        return task_name, preset, dict(overrides)
    from lsk_engine.settings.resolving import merge_settings
    from lsk_engine.settings.toml_files import read_settings

    found = read_settings(file)
    return task_name or found.task, preset or found.preset, merge_settings(found.values, overrides)


def run_to_end(
    task, config, run, reporter, *, data=None, resume: bool, tensorboard: bool, as_json: bool
) -> None:
    """Trains, shows the scores, and says how to go on after an interruption.

    A process that follows the chief is silent, and leaves the run to it.
    """
    if follows():
        with needing_extra(task):
            _follow(task, config, run, resume=resume)
        return
    reporter.log = run.log_file
    reporter.message(f"Run: {run.path}")
    with needing_extra(task):
        from lsk_engine.experiment import run_experiment
        from lsk_engine.training.checkpointing import Interrupted

        try:
            with run.lock(), remove_on_failed_start(run.path, new=not resume, on=_MENDABLE):
                results = run_experiment(
                    *(task, config, run, reporter),
                    data=data,
                    resume=resume,
                    tensorboard=tensorboard,
                )
        except Interrupted as stop:
            command = shell_command("lsk", "train", "--resume", run.path)
            reporter.warning(f"{stop}; go on with: {command}")
            raise click.exceptions.Exit(stop.exit_code) from None
    echo_scores(results, as_json)


def follows() -> bool:
    """Returns whether another process is the chief of this one's run."""
    from lsk_engine.devices.process_env import find_process

    return find_process().index > 0


def _follow(task, config, run, *, resume: bool) -> None:
    from lsk_engine.experiment import run_experiment
    from lsk_engine.training.checkpointing import Interrupted

    try:
        run_experiment(task, config, run, options.reporter(False, quiet=True), resume=resume)
    except Interrupted as stop:
        raise click.exceptions.Exit(stop.exit_code) from None


def free_path(task, config) -> Path:
    """Returns where a new run would go now, if nobody else were quicker."""
    from lsk_engine.runs.naming import run_name, unique_paths

    return next(unique_paths(Path("runs") / run_name(task, config)))


def new_run(task, config, path: Path | None):
    """Makes the directory of a new run: `path`, or one below `runs` with the run's name.

    See `lsk_engine.runs.naming.run_name`. If the name is taken, the run gets a number.
    """
    from lsk_engine.runs.run_directory import RunDirectory

    if path is not None:
        return RunDirectory.create(path, config.to_dict())
    while True:
        free = free_path(task, config)
        try:
            return RunDirectory.create(free, config.to_dict())
        except FileError:
            if not (free / "config.json").exists():  # refused, and not taken by another
                raise

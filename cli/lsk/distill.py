"""`lsk distill`."""

from pathlib import Path
from typing import Any

import click

from ls_base.errors import InputError
from lsk.support import distributed_options, options
from lsk.train import merge_config_file, settings, start_all, start_run, train
from lsk_engine.settings.distillation import TEACHER_LOSSES
from lsk_engine.tasks.registry import load_task


@click.command(short_help="Train a student of a teacher, and score it.")
@click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    required=True,
    metavar="RUN",
    help="The teacher: a finished run of the same task.",
)
@click.option("--beta", type=float, help="Weight β of the teacher in the loss. [default: 1]")
@click.option("--temperature", type=float, help="T: divides the teacher's logits. [default: 1]")
@click.option(
    "--student-temperature",
    type=float,
    help="T of the student in the teacher's part of the loss. [default: 1]",
)
@click.option(
    "--teacher-loss",
    type=click.Choice(TEACHER_LOSSES),
    help="The teacher's part of the loss. [default: cross-entropy]",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Compute the teacher's logits once, into FOLDER, or use those there.",
)
@click.option("--top-k", type=int, help="Keep only the k largest of each position in the cache.")
def distill(
    teacher: Path,
    beta: float | None,
    temperature: float | None,
    student_temperature: float | None,
    teacher_loss: str | None,
    cache: Path | None,
    top_k: int | None,
    task_name: str | None,
    preset: str | None,
    config_file: Path | None,
    tensorboard: bool,
    backend: str | None,
    run_dir: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
    verbose: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Train a student of a teacher, and score it. Takes the options of `lsk train` as well.

    \b
    lsk train --task image --preset mnist-mlp-teacher --data FOLDER --run-dir big
    lsk distill --teacher big --preset mnist-mlp-student --data FOLDER \\
        --temperature 4 --run-dir small
    lsk distill --teacher big --preset mnist-mlp-student --data FOLDER \\
        --beta 0.6 --teacher-loss squared-logits
    lsk train --resume small

    The loss is (1 − β) H(labels, p) + β H(teacher at T, p); --alpha smooths the labels, and
    --loss replaces H(labels, p) by another loss of the labels. The run names its teacher and is
    resumed and evaluated like any other.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.runs.naming import free_run_path
    from lsk_engine.runs.run_directory import RunDirectory
    from lsk_engine.runs.stored_run import with_teacher
    from lsk_engine.settings.resolving import resolve_config

    local_workers = distributed_options.configure_processes(chosen, backend)
    overrides = settings(chosen, assignments)
    task_name, preset, overrides = merge_config_file(config_file, task_name, preset, overrides)
    task = load_task(task_name or RunDirectory.open(teacher).read_config()["task"])
    reporter = options.reporter(verbose, quiet)
    config = resolve_config(task, preset, overrides, reporter.message)
    given = {
        "beta": beta,
        "teacher_temperature": temperature,
        "student_temperature": student_temperature,
        "loss": teacher_loss,
        "cache": None if cache is None else str(cache.absolute()),
        "top_k": top_k,
    }
    config = with_teacher(teacher, config, **{k: v for k, v in given.items() if v is not None})
    alpha = config.training.alpha
    if beta in (None, 1) and alpha and "training.alpha" in overrides:
        raise InputError(
            "Expected --alpha with --beta below 1: at β = 1 the labels have no part in the loss. "
            f"Received: α = {alpha:g} with β = 1"
        )
    if local_workers:
        start_all(local_workers, run_dir or free_run_path(task, config), reporter)
    start_run(
        *(task, config, run_dir, reporter),
        backend=backend,
        tensorboard=tensorboard,
        as_json=as_json,
    )


distill.params += [option for option in train.params if option.name not in ("resume", "init_from")]

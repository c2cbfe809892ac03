"""`lsk study`."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import click

from ls_base.errors import InputError, suggest
from lsk.support import distributed_options, options, study_tables, tables
from lsk_engine.settings.training import SMOOTHINGS
from lsk_engine.tasks.registry import load_task, needing_extra

SMOOTHING = "smoothing"
STUDENT = "student."  # beginning of settings of students
# Repeated from `lsk_engine.studies.measurements`, so that `lsk --help` does not import it.
MEASURES = (
    *("accuracy", "calibration", "ranking", "representation", "information", "beam"),
    *("distillation", "teacher"),
)


@click.command(short_help="Train many runs to find out whether smoothing helps.")
@click.argument("what", metavar="smoothing|FILE.toml")
@click.option("--task", "task_name", help="Task to train; `lsk tasks` lists them.")
@click.option("--preset", help="Preset of the task. [default: the task's preset for studies]")
@options.model
@options.data
@click.option(
    "--alphas",
    type=options.Numbers(),
    help="Label smoothings α to compare. [default: 0,0.05,0.1,0.2]",
)
@click.option(
    "--smoothings",
    type=options.Names(),
    metavar="NAME,…",
    help=f"Distributions of the mass α: {', '.join(SMOOTHINGS)}. [default: uniform]",
)
@click.option(
    "--axis",
    "axes",
    multiple=True,
    metavar="KEY=V1,V2,…",
    help="Setting whose values are compared with the first one, such as training.loss.",
)
@click.option(
    "--seeds", type=int, help="Number of runs of each α, at least 3 for verdicts. [default: 3]"
)
@click.option(
    "--measure",
    "measures",
    type=options.Names(),
    metavar="NAME,…",
    help=f"Measures: {', '.join(MEASURES)}. [default: accuracy,calibration]",
)
@click.option("--split", help="Split that claims are decided on. [default: test]")
@options.settings("Setting of all runs; student.KEY for students of the measure distillation.")
@options.devices
@distributed_options.local_workers("Number of local processes that train each run together.")
@options.jobs
@options.scheduler
@click.option("--fail-fast", is_flag=True, help="Stop all runs when one fails.")
@options.runs_folder("runs/study-…")
@options.backend
@options.as_json
@options.verbosity
def study(
    what: str,
    task_name: str | None,
    preset: str | None,
    model: str | None,
    data: str | None,
    assignments: tuple[str, ...],
    axes: tuple[str, ...],
    strategy: str | None,
    devices: int | None,
    local_workers: int | None,
    jobs: int,
    scheduler: str | None,
    fail_fast: bool,
    out: Path | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Train with several α and seeds, and decide whether label smoothing helps here.

    \b
    lsk study smoothing --task image --alphas 0,.05,.1,.2 --seeds 3 --jobs 2
    lsk study smoothing --task keras --model FILE.py:build_model --data FILE.npz
    lsk study smoothing --task translation --preset multi30k-tiny --data FOLDER
    lsk study smoothing --task image --set training.alpha=0.1 \\
        --axis training.loss=smoothed_ce,max_sup,focal_ce
    lsk study FILE.toml

    Every run is a run directory inside --out. After Ctrl-C, the same command resumes the study;
    further seeds, α or measures reuse finished runs. A FILE.toml defines any other study. Exit code
    6: some runs failed or could not be measured.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.settings.resolving import apply_suggestion, resolve_epochs_and_steps
    from lsk_engine.studies.run_study import run_study
    from lsk_engine.studies.smoothing import smoothing_question
    from lsk_engine.studies.study import preset_of, read_study
    from lsk_engine.studies.study_result import RESULTS_FILE

    command = distributed_options.train_command(local_workers, jobs, backend)
    settings: dict[str, Any] = {
        "model.name": model,
        "data.source": data,
        "training.strategy": strategy,
        "training.devices": devices,
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    settings |= options.assignments(assignments)
    given = {name: value for name, value in chosen.items() if value is not None}
    if axes:
        given["axes"] = {
            key: tuple(values.split(","))
            for key, values in options.assignments(axes, "--axis").items()
        }
    student = [key for key in settings if key.startswith(STUDENT)]
    if student:
        given["student"] = {key.removeprefix(STUDENT): settings.pop(key) for key in student}
        resolve_epochs_and_steps(given["student"])  # raises an error if both are given
    if what != SMOOTHING and Path(what).suffix != ".toml":
        raise InputError(f"Expected {SMOOTHING} or FILE.toml. {suggest(what, [SMOOTHING])}")
    if what == SMOOTHING:
        if task_name is None:
            raise InputError("Expected --task NAME (see `lsk tasks`). Received: none")
        definition = smoothing_question(task_name, preset=preset, settings=settings, **given)
    else:
        if task_name or preset or settings or given:
            raise InputError(
                "Expected a file with --out, --jobs, --local-workers and --fail-fast only; it "
                f"defines the rest. Received: more options with {what}"
            )
        definition = read_study(Path(what))
    task = load_task(definition.task)
    reporter = options.reporter(verbose, quiet)
    preset, settings = apply_suggestion(
        task, definition.preset, definition.settings, reporter.message
    )
    definition = dataclasses.replace(definition, preset=preset, settings=settings)
    name = preset_of(definition, task)
    kind = SMOOTHING if what == SMOOTHING else Path(what).stem
    out = out or Path("runs") / f"study-{kind}-{task.name}-{name}"
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend  # for the trainings as for this process
    with needing_extra(task), options.interruptible(reporter):
        result = run_study(
            definition,
            task,
            out,
            reporter,
            command=command,
            jobs=jobs,
            scheduler=scheduler,
            fail_fast=fail_fast,
        )
    if as_json:
        options.echo_json(result.to_dict())
    else:
        tables.echo(*study_tables.show_study(result))
        click.echo(f"Saved: {out / RESULTS_FILE}")
    if result.missing:
        raise click.exceptions.Exit(study_tables.INCOMPLETE)

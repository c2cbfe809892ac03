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
# Those of `lsk_engine.studies.measurements`, which `lsk --help` does not wait for.
MEASURES = (
    *("accuracy", "calibration", "ranking", "representation", "information", "beam"),
    *("distillation", "teacher"),
)


@click.command(short_help="Ask many runs one question: does smoothing help here?")
@click.argument("what", metavar="smoothing|FILE.toml")
@click.option("--task", "task_name", help="What to train; `lsk tasks` lists them.")
@click.option("--preset", help="A recipe of the task. [default: the task's for studies]")
@options.model
@options.data
@click.option(
    "--alphas", type=options.Numbers(), help="Label smoothings α. [default: 0,0.05,0.1,0.2]"
)
@click.option(
    "--smoothings",
    type=options.Names(),
    metavar="NAME,…",
    help=f"What the mass α follows: {', '.join(SMOOTHINGS)}. [default: uniform]",
)
@click.option(
    "--axis",
    "axes",
    multiple=True,
    metavar="KEY=V1,V2,…",
    help="Compare values of another setting with the first, such as training.loss=…",
)
@click.option("--seeds", type=int, help="Runs of each α; from 3 on they can tell. [default: 3]")
@click.option(
    "--measure",
    "measures",
    type=options.Names(),
    metavar="NAME,…",
    help=f"Of {', '.join(MEASURES)}. [default: accuracy,calibration]",
)
@click.option("--split", help="Which split the answer is of. [default: test]")
@options.settings("Of all runs.")
@click.option(
    "--student-set",
    "of_students",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of the students that the measure distillation trains.",
)
@options.devices
@distributed_options.local_workers("Processes of this machine that train each run together.")
@options.jobs
@options.scheduler
@click.option("--stop", is_flag=True, help="Let a training that fails stop the others.")
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
    of_students: tuple[str, ...],
    strategy: str | None,
    devices: int | None,
    local_workers: int | None,
    jobs: int,
    scheduler: str | None,
    stop: bool,
    out: Path | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Train with several α and seeds, measure, and answer: does label smoothing help here?

    \b
    lsk study smoothing --task image --alphas 0,.05,.1,.2 --seeds 3 --jobs 2
    lsk study smoothing --task keras --model FILE.py:build_model --data FILE.npz
    lsk study smoothing --task translation --preset multi30k-tiny --data FOLDER
    lsk study smoothing --task image --set training.alpha=0.1 \\
        --axis training.loss=smoothed_ce,max_sup,focal_ce
    lsk study FILE.toml

    Every run is a run directory below --out. Finished ones are kept: after Ctrl-C the same command
    goes on, and more seeds, α or measures take what is there. A file asks any other question.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.settings.resolving import apply_suggestion
    from lsk_engine.studies.run_study import run_study
    from lsk_engine.studies.smoothing import smoothing_question
    from lsk_engine.studies.study import preset_of, read_study
    from lsk_engine.studies.study_folder import RESULTS_FILE

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
    if of_students:
        given["student"] = options.assignments(of_students, "--student-set")
    if what != SMOOTHING and Path(what).suffix != ".toml":
        raise InputError(f"Expected {SMOOTHING} or FILE.toml. {suggest(what, [SMOOTHING])}")
    if what == SMOOTHING:
        if task_name is None:
            raise InputError("Expected --task NAME (see `lsk tasks`). Received: none")
        asked = smoothing_question(task_name, preset=preset, settings=settings, **given)
    else:
        if task_name or preset or settings or given:
            raise InputError(
                "Expected a file with --out, --jobs, --local-workers and --stop alone; it says the "
                f"rest. Received: more options with {what}"
            )
        asked = read_study(Path(what))
    task = load_task(asked.task)
    reporter = options.reporter(verbose, quiet)
    preset, settings = apply_suggestion(task, asked.preset, asked.settings, reporter.message)
    asked = dataclasses.replace(asked, preset=preset, settings=settings)
    name = preset_of(asked, task)
    kind = SMOOTHING if what == SMOOTHING else Path(what).stem
    out = out or Path("runs") / f"study-{kind}-{task.name}-{name}"
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend  # for the trainings as for this process
    with needing_extra(task), options.interruptible(reporter):
        result = run_study(
            asked,
            task,
            out,
            reporter,
            command=command,
            jobs=jobs,
            scheduler=scheduler,
            stop_on_failure=stop,
        )
    if as_json:
        options.echo_json(result.to_dict())
        return
    tables.echo(*study_tables.shown(result))
    click.echo(f"Saved: {out / RESULTS_FILE}")

"""`lsk sweep-distillation`."""

import os
from pathlib import Path

import click

from lsk.support import distributed_options, options, study_tables, tables
from lsk_engine.tasks.registry import load_task, needing_extra


@click.command(name="sweep-distillation", short_help="Train teachers and students: Figure 5.")
@click.option("--task", "task_name", default="image", show_default=True, help="Of all runs.")
@click.option("--preset", help="The students' recipe. [default: the task's first]")
@click.option("--teacher-preset", help="The teachers' recipe. [default: the students']")
@click.option(
    "--alphas",
    type=options.Numbers(),
    default="0,0.15,0.3,0.45,0.6,0.75",
    show_default=True,
    help="Label smoothing of teachers and of students alone; 0 among them.",
)
@click.option(
    "--temperatures",
    type=options.Numbers(),
    default="1,2,3,4,8,12,16",
    show_default=True,
    help="Of the students of the teacher with α = 0.",
)
@click.option("--seeds", type=int, default=5, show_default=True, help="Runs of each point.")
@options.data
@options.settings("Of the students.")
@click.option(
    "--teacher-set", "teacher_assignments", multiple=True, metavar="KEY=VALUE", help="Of teachers."
)
@click.option("--cache", is_flag=True, help="Compute a teacher's logits once, not every step.")
@click.option("--split", default="validation", show_default=True, help="Which split errors are of.")
@options.devices
@distributed_options.local_workers("Processes of this machine that train each run together.")
@options.jobs
@options.scheduler
@options.runs_folder("runs/sweep-…")
@options.backend
@options.as_json
@options.verbosity
def sweep_distillation(
    task_name: str,
    preset: str | None,
    teacher_preset: str | None,
    alphas: tuple[float, ...],
    temperatures: tuple[float, ...],
    seeds: int,
    data: str | None,
    assignments: tuple[str, ...],
    teacher_assignments: tuple[str, ...],
    cache: bool,
    split: str,
    strategy: str | None,
    devices: int | None,
    local_workers: int | None,
    jobs: int,
    scheduler: str | None,
    out: Path | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Train teachers and students, and draw their errors against γ: the paper's Figure 5.

    \b
    lsk sweep-distillation --preset cifar10-alexnet \\
        --teacher-preset cifar10-resnet56 --data FOLDER --seeds 5 \\
        --alphas 0,.15,.3,.45,.6,.75 --temperatures 1,2,3,4,8,12,16

    Four curves: teachers with α; students with α alone; students of the teacher without smoothing
    at rising T; students of smoothed teachers. It is a study: every point is a run below --out.
    Finished ones are kept: after Ctrl-C the same command goes on, and more seeds or points take
    what is there.
    Random augmentation of a student is its teacher's view, too; --cache is for students without.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.settings.resolving import apply_suggestion
    from lsk_engine.studies.distillation import distillation_study, draw_figure
    from lsk_engine.studies.run_study import run_study
    from lsk_engine.studies.study import TEACHER
    from lsk_engine.studies.study_folder import FIGURE_FILE

    task = load_task(task_name)
    command = distributed_options.train_command(local_workers, jobs, backend)
    of_all = {"training.strategy": strategy, "training.devices": devices}
    of_all = {key: value for key, value in of_all.items() if value is not None}
    settings = dict(of_all) if data is None else {"data.source": data, **of_all}
    settings |= options.assignments(assignments)
    reporter = options.reporter(verbose, quiet)
    preset, settings = apply_suggestion(task, preset, settings, reporter.message)
    first = preset or task.presets[0].name
    of_teachers = of_all | options.assignments(teacher_assignments, "--teacher-set")
    study = distillation_study(
        task_name,
        alphas=alphas,
        temperatures=temperatures,
        seeds=seeds,
        preset=first,
        teacher_preset=teacher_preset or first,
        settings=settings | {TEACHER + key: value for key, value in of_teachers.items()},
        cache=cache,
        split=split,
    )
    taught = f"{study.preset}-of-{study.teacher_preset}"
    out = out or Path("runs") / f"sweep-{task.name}-{taught}"
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend  # for the trainings as for this process
    with needing_extra(task), options.interruptible(reporter):
        result = run_study(
            study,
            task,
            out,
            reporter,
            command=command,
            jobs=jobs,
            scheduler=scheduler,
            stop_on_failure=True,
        )
    title = f"{study.preset} taught by {study.teacher_preset}, {split}"
    score, rows = draw_figure(result, out, title)
    if as_json:
        from ls_keras.plots import distillation_points

        points = distillation_points(rows, score=score)
        found = {"schema": 1, "split": split, "score": score, "points": points, "rows": rows}
        options.echo_json(found)
        return
    from lsk_engine.reports.score_tables import sweep_table
    from lsk_engine.studies.stored_results import read_curves

    number = result.numbers[score]
    table = sweep_table(read_curves(out)[1], number.label, number.better)
    tables.echo(tables.row_table(table), tables.note(_GAMMA), "", *study_tables.answer(result))
    click.echo(f"Saved: {out / FIGURE_FILE}, and the numbers beside it")


_GAMMA = (
    "γ: the α of smoothed labels that put as much on the wrong classes as the teacher's outputs at "
    "T do, on average."
)

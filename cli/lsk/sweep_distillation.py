"""`lsk sweep-distillation`."""

import os
from pathlib import Path

import click

from lsk.support import distributed_options, options, study_tables, tables
from lsk_engine.tasks.registry import load_task, needing_extra


@click.command(name="sweep-distillation", short_help="Train teachers and students: Figure 5.")
@click.option("--task", "task_name", default="image", show_default=True, help="Task to train.")
@click.option("--preset", help="Preset of the students. [default: the task's first]")
@click.option("--teacher-preset", help="Preset of the teachers. [default: the students']")
@click.option(
    "--alphas",
    type=options.Numbers(),
    default="0,0.15,0.3,0.45,0.6,0.75",
    show_default=True,
    help="Label smoothings α of teachers, and of networks without one; including 0.",
)
@click.option(
    "--temperatures",
    type=options.Numbers(),
    default="1,2,3,4,8,12,16",
    show_default=True,
    help="Temperatures for students of the unsmoothed teacher.",
)
@click.option(
    "--seeds", type=int, default=5, show_default=True, help="Number of runs of each point."
)
@options.data
@options.settings("Setting of the students; teacher.KEY for the teachers.")
@click.option("--cache", is_flag=True, help="Compute the logits of a teacher only once.")
@click.option("--split", default="validation", show_default=True, help="Split of the scores.")
@options.devices
@distributed_options.local_workers("Number of local processes that train each run together.")
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
    """Train teachers and students, and plot their errors against γ: the paper's Figure 5.

    \b
    lsk sweep-distillation --preset cifar10-alexnet \\
        --teacher-preset cifar10-resnet56 --data FOLDER --seeds 5 \\
        --alphas 0,.15,.3,.45,.6,.75 --temperatures 1,2,3,4,8,12,16

    Four curves: teachers with α; networks with α and no teacher; students of the unsmoothed teacher
    at rising T; students of smoothed teachers. It is a study: every point is a run inside --out.
    After Ctrl-C, the same command resumes it; further seeds or points reuse finished runs.
    Teachers see the random augmentation of their students; --cache needs students without it.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.settings.resolving import apply_suggestion, resolve_epochs_and_steps
    from lsk_engine.studies.distillation import distillation_study, draw_figure
    from lsk_engine.studies.run_study import run_study
    from lsk_engine.studies.study import TEACHER
    from lsk_engine.studies.study_result import FIGURE_FILE

    task = load_task(task_name)
    command = distributed_options.train_command(local_workers, jobs, backend)
    of_all = {"training.strategy": strategy, "training.devices": devices}
    of_all = {key: value for key, value in of_all.items() if value is not None}
    settings = dict(of_all) if data is None else {"data.source": data, **of_all}
    given = options.assignments(assignments)
    of_teachers = {k.removeprefix(TEACHER): v for k, v in given.items() if k.startswith(TEACHER)}
    settings |= {key: value for key, value in given.items() if not key.startswith(TEACHER)}
    reporter = options.reporter(verbose, quiet)
    preset, settings = apply_suggestion(task, preset, settings, reporter.message)
    first = preset or task.presets[0].name
    resolve_epochs_and_steps(of_teachers)
    study = distillation_study(
        task_name,
        alphas=alphas,
        temperatures=temperatures,
        seeds=seeds,
        preset=first,
        teacher_preset=teacher_preset or first,
        settings=settings | {TEACHER + k: v for k, v in {**of_all, **of_teachers}.items()},
        cache=cache,
        split=split,
    )
    name = f"{study.preset}-of-{study.teacher_preset}"
    out = out or Path("runs") / f"sweep-{task.name}-{name}"
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
            fail_fast=True,
        )
    title = f"{study.preset}, students of {study.teacher_preset}, {split}"
    score, rows = draw_figure(result, out, title)
    if as_json:
        from ls_keras.plots import distillation_points

        points = distillation_points(rows, score=score)
        found = {"schema": 1, "split": split, "score": score, "points": points, "rows": rows}
        options.echo_json(found)
        return
    from lsk_engine.reports.score_tables import sweep_table
    from lsk_engine.studies.study_result import read_curves

    number = result.numbers[score]
    table = sweep_table(read_curves(out)[1], number.label, number.better)
    tables.echo(tables.row_table(table), tables.note(_GAMMA), "", *study_tables.show_answer(result))
    click.echo(f"Saved: {out / FIGURE_FILE}, and the numbers beside it")


_GAMMA = (
    "γ: the α with which smoothed labels give wrong classes the same mass as the teacher's outputs "
    "at T do on average."
)

"""`lsk reproduce`."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import click

from ls_base.errors import InputError, shell_command
from lsk.support import options, study_tables, tables
from lsk_engine.progress import estimate

# Repeated from `lsk_engine.studies.paper.results`, so that `lsk --help` does not import it.
RESULTS = (
    *("table1", "table2", "table3"),
    *("figure1", "figure2", "figure3", "figure4", "figure5", "figure6", "mnist"),
)
SCALES = ("demo", "data", "paper")


@click.command(short_help="Reproduce the paper's tables and figures.")
@click.argument("what", metavar="RESULT|all", required=False)
@click.option("--list", "listed", is_flag=True, help="List results, their cost and progress.")
@click.option(
    "--scale",
    type=click.Choice(SCALES),
    default="demo",
    show_default=True,
    help="Included data, data sets in --data-dir, or the paper's recipes.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of data sets: mnist, cifar10, multi30k, fsdd, an4_mfcc.",
)
@click.option(
    "--only",
    type=options.Names(),
    metavar="STUDY,…",
    help="Run only these studies; --list shows them. [default: all]",
)
@click.option("--seeds", type=int, help="Number of runs of each setting. [default: each study's]")
@options.settings("Setting of all runs.")
@options.jobs
@options.scheduler
@options.runs_folder("runs/reproduce-…")
@options.backend
@options.as_json
@options.verbosity
def reproduce(
    what: str | None,
    listed: bool,
    scale: str,
    data_dir: Path | None,
    only: tuple[str, ...] | None,
    seeds: int | None,
    assignments: tuple[str, ...],
    jobs: int,
    scheduler: str | None,
    out: Path | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Reproduce a table or figure of the paper, and compare it with ours.

    \b
    lsk reproduce --list
    lsk reproduce table3
    lsk reproduce all --seeds 1 --jobs 2
    lsk reproduce figure4 --scale data --data-dir FOLDER
    lsk reproduce table1 --scale data --data-dir FOLDER --only voices

    RESULT is table1 … table3, figure1 … figure6 or mnist. Each consists of studies inside --out,
    which results share. After Ctrl-C, the same command resumes them. Exit code 6: some runs failed
    or could not be measured.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.studies.paper import reproduce as studies

    out = out or Path("runs") / f"reproduce-{scale}"
    if listed:
        _list(what or studies.ALL, only or (), scale, out, seeds, as_json)
        return
    if what is None:
        raise InputError(
            f"Expected one of {', '.join(RESULTS)} or all, or --list. Received: none of them"
        )
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend  # for the trainings as for this process
    reporter = options.reporter(verbose, quiet)
    with options.interruptible(reporter):
        found = studies.reproduce(
            studies.parts_of(what, scale, only or ()),  # type: ignore[arg-type]
            scale,  # type: ignore[arg-type]
            out,
            reporter,
            command=options.TRAIN,
            data_dir=data_dir,
            seeds=seeds,
            settings=options.assignments(assignments),
            jobs=jobs,
            scheduler=scheduler,
        )
    if as_json:
        content = {"schema": 1, "results": [one.to_dict() for one in found]}
        options.echo_json(content)
    else:
        for one in found:
            tables.echo(*study_tables.show_reproduced(one), "")
        click.echo(f"Saved: {out}; {shell_command('lsk', 'report', out)} makes a page of it")
    if any(one.missing or any(study.missing for study in one.found.values()) for one in found):
        raise click.exceptions.Exit(study_tables.INCOMPLETE)


def _list(
    what: str, only: tuple[str, ...], scale: Any, out: Path, seeds: int | None, as_json: bool
) -> None:
    from lsk_engine.studies.paper import paper_studies
    from lsk_engine.studies.paper.reproduce import costs_of, parts_of
    from lsk_engine.studies.paper.results import results_of

    chosen = parts_of(what, scale, only)
    costs = {result.name: costs_of(parts, out, seeds) for result, parts in chosen.items()}
    titles = {result.name: result.title for result in chosen}
    if as_json:
        rows = [
            {"result": name, "title": titles[name], **dataclasses.asdict(cost)}
            for name, cost in costs.items()
        ]
        options.echo_json({"schema": 1, "scale": scale, "results": rows})
        return
    tables.echo(tables.paragraph(f"{scale}: {paper_studies.SCALES[scale]}"), "")
    lines = [
        (
            name,
            estimate(cost.minutes),
            estimate(cost.took) if cost.finished else "–",
            f"{cost.finished}/{cost.runs}",
            titles[name],
        )
        for name, cost in costs.items()
    ]
    names = {name for parts in chosen.values() for name in parts}
    studies = {n: part for n, part in paper_studies.STUDIES[scale].items() if n in names}
    total = estimate(sum(part.cost(seeds) for part in studies.values()))
    lines.append(("all", total, "", "", f"results share their runs in {out}"))
    head = ("result", "cost", "took", "runs", "topic")
    tables.echo(tables.plain_table(lines, head, right=(1, 2, 3)))
    of = {name: ", ".join(one.name for one in results_of(name, scale)) for name in studies}
    costly = [
        (name, estimate(part.cost(seeds)), f"{part.study.task}: {of[name]}")
        for name, part in studies.items()
    ]
    tables.echo("", tables.plain_table(costly, ("study", "cost", "results"), right=(1,)))

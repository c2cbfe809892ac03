"""From a name such as `table3` to the paper's numbers, ours, and verdicts."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, LsKerasError, near
from ls_base.files import write_json
from lsk_engine.progress import Reporter
from lsk_engine.studies.arm_runs import jobs_of
from lsk_engine.studies.arms import arms_of, is_taught
from lsk_engine.studies.job import Job
from lsk_engine.studies.paper import RESULTS, Result
from lsk_engine.studies.paper_studies import STUDIES, Part, Scale
from lsk_engine.studies.run_study import run_study
from lsk_engine.studies.study import TEACHER, Study, merged
from lsk_engine.studies.study_result import Decided, StudyResult
from lsk_engine.tasks.registry import load_task, needing_extra

ALL = "all"
_SOURCE = "data.source"


@dataclasses.dataclass(frozen=True)
class Reproduced:
    """What was found of a result of the paper.

    Attributes:
        result: The result.
        scale: At which scale.
        found: What each of its studies found, by name.
        figures: What was drawn.
        missing: Why a study found nothing, by its name.
    """

    result: Result
    scale: Scale
    found: Mapping[str, StudyResult]
    figures: tuple[Path, ...]
    missing: Mapping[str, str]

    def decided(self, study: str) -> list[Decided]:
        """Returns a study's decisions about the result's claims."""
        return [one for one in self.found[study].decided if one.claim.name in self.result.claims]

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as JSON can hold it: of each study, the decisions about its claims."""
        studies = {}
        for name, found in self.found.items():
            content = found.to_dict()
            claims = [one for one in content["decided"] if one["name"] in self.result.claims]
            studies[name] = {"task": found.task, "preset": found.preset, "decided": claims}
        return {
            "schema": 1,
            "result": self.result.name,
            "scale": self.scale,
            "paper": list(self.result.paper),
            "studies": studies,
            "figures": [str(file) for file in self.figures],
            "missing": dict(self.missing),
        }


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a result costs, and what of it is there.

    Attributes:
        minutes: Of all seeds, as estimated.
        took: Minutes that the runs which are there took.
        runs: How many runs there are to be.
        finished: How many of them are.
    """

    minutes: float
    took: float
    runs: int
    finished: int


def results_of(name: str) -> list[Result]:
    """Returns a result of the paper, or all.

    Args:
        name: A name of `RESULTS`, or `all`.

    Raises:
        InputError: For another name, with near matches.
    """
    if name not in (*RESULTS, ALL):
        raise InputError(f"Expected a result of the paper. {near(name, [*RESULTS, ALL])}")
    return [result for result in RESULTS.values() if name in (result.name, ALL)]


def study_of(
    part: Part,
    data_dir: Path | None,
    seeds: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Study:
    """Returns a study with its data, its seeds, and further settings of runs and teachers.

    Args:
        part: The study at its scale.
        data_dir: The folder of data sets.
        seeds: How many; `None`: the study's.
        settings: By dotted key.

    Raises:
        InputError: If its data are not in the folder.
    """
    study, more = part.study, dict(settings or {})
    if any(map(is_taught, study.all_axes())):
        more |= {f"{TEACHER}{key}": value for key, value in more.items()}
    if part.data is not None:
        source = None if data_dir is None else data_dir / part.data
        if source is None or not source.exists():
            raise InputError(
                f"Expected --data-dir DIR with {part.data} in it. Received: {data_dir or 'none'}"
            )
        more[_SOURCE] = str(source.absolute())
    return dataclasses.replace(
        study, seeds=seeds or study.seeds, settings=merged(study.settings, more)
    )


def reproduce(
    results: Sequence[Result],
    scale: Scale,
    directory: Path,
    reporter: Reporter,
    *,
    command: Sequence[str],
    data_dir: Path | None = None,
    only: Sequence[str] = (),
    seeds: int | None = None,
    settings: Mapping[str, Any] | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
) -> list[Reproduced]:
    """Trains what is not finished yet, measures, decides, and draws.

    Each study has a folder below `directory`, which results share; what was found of a result is
    in `RESULT.json` there, its figure beside it. A study that fails is told and stops no other.

    Args:
        results: Which results.
        scale: At which scale.
        directory: The folder.
        reporter: Who is told.
        command: As for `run_study`.
        data_dir: The folder of data sets.
        only: The names of the studies to be run; none: all of the results'.
        seeds: How many; `None`: each study's.
        settings: Further settings of all runs.
        jobs: How many trainings run at a time.
        scheduler: Whose workers train; as for `run_study`.

    Raises:
        InputError: If a study can't be, or its data aren't there; before anything is trained.
        LsKerasError: As `run_study`, if no study finds anything.
        KeyboardInterrupt: As `run_study`.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job. Received: {jobs}")
    if seeds is not None and seeds < 1:
        raise InputError(f"Expected at least one seed. Received: {seeds}")
    chosen = {result.name: result.parts(scale) for result in results}
    known = list(dict.fromkeys(name for parts in chosen.values() for name in parts))
    for name in only:
        if name not in known:
            raise InputError(f"Expected only studies of the scale {scale}. {near(name, known)}")
    if only:
        chosen = {
            result: {name: part for name, part in parts.items() if name in only}
            for result, parts in chosen.items()
        }
        results = [result for result in results if chosen[result.name]]
    studies: dict[str, Study] = {}
    for result in results:
        for name, part in chosen[result.name].items():
            studies[name] = study_of(part, data_dir, seeds, settings)
            arms_of(studies[name], load_task(studies[name].task))
    parts_asked = [part for parts in chosen.values() for part in parts.values()]
    if data_dir is not None and all(part.data is None for part in parts_asked):
        raise InputError(
            "Expected --data-dir with results that read it (--scale data or paper): these have "
            f"data of their own. Received: {data_dir} with the scale {scale}"
        )
    found: dict[str, StudyResult] = {}
    failed: dict[str, LsKerasError] = {}
    reproduced = []
    for result in results:
        parts = chosen[result.name]
        for name in [name for name in parts if name not in {**found, **failed}]:
            try:
                found[name] = _run(
                    studies[name],
                    directory / name,
                    reporter,
                    command=command,
                    jobs=jobs,
                    scheduler=scheduler,
                )
            except LsKerasError as error:
                reporter.warning(f"{name}: {error}")
                failed[name] = error
        there = {name: part for name, part in parts.items() if name in found}
        one = Reproduced(
            result,
            scale,
            {name: found[name] for name in there},
            tuple(_figures(result, there, found, directory, reporter)),
            {name: str(failed[name]) for name in parts if name in failed},
        )
        if one.found:  # else what an earlier call has found stays
            write_json(directory / f"{result.name}.json", one.to_dict())
        reproduced.append(one)
    if not found:
        raise next(iter(failed.values()))
    return reproduced


def costs_of(result: Result, scale: Scale, directory: Path, seeds: int | None = None) -> Cost:
    """Returns what a result costs at a scale, and what of it is there; without Keras.

    Args:
        result: The result.
        scale: The scale.
        directory: Where `reproduce` has put its runs, if it has.
        seeds: How many; `None`: each study's.
    """
    minutes, jobs = 0.0, list[Job]()
    for name, part in result.parts(scale).items():
        study = dataclasses.replace(part.study, seeds=seeds or part.study.seeds)
        minutes += part.cost(seeds)
        jobs += jobs_of(directory / name, arms_of(study, load_task(study.task)), study.seeds)
    finished = [job.run for job in jobs if job.finished]
    took = sum(run.read_metrics().seconds for run in finished) / 60
    return Cost(minutes, took, len(jobs), len(finished))


def total_minutes(scale: Scale, seeds: int | None = None) -> float:
    """Returns what all results cost together, whose studies are trained once."""
    return sum(part.cost(seeds) for part in STUDIES[scale].values())


def _run(study: Study, directory: Path, reporter: Reporter, **how: Any) -> StudyResult:
    task = load_task(study.task)
    with needing_extra(task):
        return run_study(study, task, directory, reporter, **how)


def _figures(
    result: Result,
    parts: Mapping[str, Part],
    found: Mapping[str, StudyResult],
    directory: Path,
    reporter: Reporter,
) -> list[Path]:
    """Draws a result's figure of each of its studies; what can't be drawn is told."""
    if result.figure is None:
        return []
    from lsk_engine.studies.paper_figures import draw

    files = []
    for name, part in parts.items():
        file = directory / f"{result.name}-{name}.png"
        try:
            files.append(draw(result.figure, part, found[name], directory / name, file, reporter))
        except LsKerasError as error:
            reporter.warning(f"{result.name}, {name}: not drawn: {error}")
    return files

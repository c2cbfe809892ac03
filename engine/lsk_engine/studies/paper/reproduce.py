"""From a name such as `table3` to the paper's numbers, ours, and verdicts."""

import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, LsKerasError, suggest
from ls_base.files import write_json
from lsk_engine.progress import Reporter
from lsk_engine.studies.arms import arms_of, is_taught
from lsk_engine.studies.jobs import Job, jobs_of
from lsk_engine.studies.paper.paper_studies import Part, Scale
from lsk_engine.studies.paper.results import RESULTS, Result
from lsk_engine.studies.run_study import run_study
from lsk_engine.studies.study import DISTILLATION, TEACHER, Study, merged
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
        own = (key for key in more if not key.startswith((TEACHER, DISTILLATION)))
        more = {**{f"{TEACHER}{key}": more[key] for key in own}, **more}
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


def parts_of(what: str, scale: Scale, only: Sequence[str] = ()) -> dict[Result, Mapping[str, Part]]:
    """Returns the studies of a result of the paper, or of all, at a scale.

    Args:
        what: A name of `RESULTS`, or `all`.
        scale: The scale.
        only: The names of the studies to be taken, and only the results that have some; none: all.

    Raises:
        InputError: For another name, with near matches.
    """
    if what not in (*RESULTS, ALL):
        raise InputError(f"Expected a result of the paper. {suggest(what, [*RESULTS, ALL])}")
    chosen: dict[Result, Mapping[str, Part]] = {
        one: one.parts(scale) for one in RESULTS.values() if what in (one.name, ALL)
    }
    known = list(dict.fromkeys(name for parts in chosen.values() for name in parts))
    for name in only:
        if name not in known:
            of = "" if what == ALL else f" of {what}"
            raise InputError(
                f"Expected only studies{of} at the scale {scale}. {suggest(name, known)}"
            )
    if not only:
        return chosen
    chosen = {
        result: {name: part for name, part in parts.items() if name in only}
        for result, parts in chosen.items()
    }
    return {result: parts for result, parts in chosen.items() if parts}


def reproduce(
    chosen: Mapping[Result, Mapping[str, Part]],
    scale: Scale,
    directory: Path,
    reporter: Reporter,
    *,
    command: Sequence[str],
    data_dir: Path | None = None,
    seeds: int | None = None,
    settings: Mapping[str, Any] | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
) -> list[Reproduced]:
    """Trains what is not finished yet, measures, decides, and draws.

    Each study has a folder below `directory`, which results share; what was found of a result is
    in `RESULT.json` there, its figure beside it. A study that fails is told and stops no other.

    Args:
        chosen: Which results, and which studies of each; see `parts_of`.
        scale: At which scale.
        directory: The folder.
        reporter: Who is told.
        command: As for `run_study`.
        data_dir: The folder of data sets.
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
    studies: dict[str, Study] = {}
    for parts in chosen.values():
        for name, part in parts.items():
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
    for result, parts in chosen.items():
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
            file = directory / f"{result.name}.json"
            write_json(file, _with_earlier(one.to_dict(), file, asked={*parts}))
        reproduced.append(one)
    if not found:
        raise next(iter(failed.values()))
    return reproduced


def _with_earlier(content: dict[str, Any], file: Path, asked: Set[str]) -> dict[str, Any]:
    """Adds what is in a file of studies that nobody asked for this time."""
    try:
        earlier = json.loads(file.read_text())
        studies = {k: v for k, v in earlier["studies"].items() if k not in asked}
        drawn = [f for f in earlier["figures"] if f not in content["figures"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return content  # none yet, or none that can be read: what is found now replaces it
    ends = tuple(f"-{name}.png" for name in studies)
    figures = [f for f in drawn if str(f).endswith(ends)]
    return content | {
        "studies": studies | content["studies"],
        "figures": figures + content["figures"],
    }


def costs_of(parts: Mapping[str, Part], directory: Path, seeds: int | None = None) -> Cost:
    """Returns what a result costs at a scale, and what of it is there; without Keras.

    Args:
        parts: Its studies by name.
        directory: Where `reproduce` has put its runs, if it has.
        seeds: How many; `None`: each study's.
    """
    minutes, jobs = 0.0, list[Job]()
    for name, part in parts.items():
        study = dataclasses.replace(part.study, seeds=seeds or part.study.seeds)
        minutes += part.cost(seeds)
        jobs += jobs_of(directory / name, arms_of(study, load_task(study.task)), study.seeds)
    finished = [job.run for job in jobs if job.finished]
    took = sum(run.read_metrics().seconds for run in finished) / 60
    return Cost(minutes, took, len(jobs), len(finished))


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
    from lsk_engine.studies.paper.figures import draw

    files = []
    for name, part in parts.items():
        file = directory / f"{result.name}-{name}.png"
        try:
            files.append(draw(result.figure, part, found[name], directory / name, file, reporter))
        except LsKerasError as error:
            reporter.warning(f"{result.name}, {name}: not drawn: {error}")
    return files

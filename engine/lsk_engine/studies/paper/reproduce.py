"""Reproduces a table or figure of the paper: trains its studies, compares numbers, draws."""

import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, LsKerasError, suggest
from ls_base.files import write_json
from ls_base.records import read_record
from lsk_engine.progress import Reporter
from lsk_engine.runs.naming import name_by_alpha
from lsk_engine.runs.schemas import InformationPoint
from lsk_engine.runs.stored_run import StoredRun, open_run
from lsk_engine.studies.arms import arms_of, has_teacher
from lsk_engine.studies.distillation import draw_figure
from lsk_engine.studies.jobs import Job, jobs_of
from lsk_engine.studies.measurements import TEMPERATURES
from lsk_engine.studies.paper.paper_studies import Part, Scale
from lsk_engine.studies.paper.results import RESULTS, Result
from lsk_engine.studies.run_study import run_study
from lsk_engine.studies.study import DISTILLATION, TEACHER, Study, merge_study_settings
from lsk_engine.studies.study_result import FIGURE_FILE, RUNS, ClaimResult, StudyResult
from lsk_engine.tasks.registry import load_task, needing_extra

ALL = "all"
_SOURCE = "data.source"


@dataclasses.dataclass(frozen=True)
class Reproduced:
    """A reproduced result of the paper.

    Attributes:
        result: The result.
        scale: The scale of its studies.
        found: The results of its studies, by name.
        figures: Files of figures.
        missing: Why a study has no result, by its name.
    """

    result: Result
    scale: Scale
    found: Mapping[str, StudyResult]
    figures: tuple[Path, ...]
    missing: Mapping[str, str]

    def claims_of(self, study: str) -> list[ClaimResult]:
        """Returns the claims of a study that belong to the result."""
        return [one for one in self.found[study].claims if one.name in self.result.claims]

    def to_dict(self) -> dict[str, Any]:
        """Returns the content of `RESULT.json`: each study's claims that belong to the result."""
        studies = {}
        for name, found in self.found.items():
            claims = [one.to_dict() for one in self.claims_of(name)]
            studies[name] = {"task": found.task, "preset": found.preset, "claims": claims}
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
    """The cost of a result, and its progress.

    Attributes:
        minutes: Estimated minutes for all seeds.
        took: Minutes that the finished runs took.
        runs: Number of runs.
        finished: Number of finished runs.
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
        data_dir: Folder of data sets.
        seeds: Number of seeds; `None`: the study's.
        settings: Further settings by dotted key.

    Raises:
        InputError: If its data are not in the folder.
    """
    study, more = part.study, dict(settings or {})
    if any(map(has_teacher, study.all_axes())):
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
        study, seeds=seeds or study.seeds, settings=merge_study_settings(study.settings, more)
    )


def parts_of(what: str, scale: Scale, only: Sequence[str] = ()) -> dict[Result, Mapping[str, Part]]:
    """Returns the studies of a result of the paper, or of all, at a scale.

    Args:
        what: A name of `RESULTS`, or `all`.
        scale: The scale.
        only: Names of studies to which the results are limited; empty: all.

    Raises:
        InputError: For an unknown name, with near matches.
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

    Each study has a folder inside `directory`, which results share. A result is stored there in
    `RESULT.json`, with its figure beside it. A study that fails is reported and does not stop the
    others.

    Args:
        chosen: The results with their studies, from `parts_of`.
        scale: Their scale.
        directory: Folder of the studies.
        reporter: Receives messages and progress.
        command: As for `run_study`.
        data_dir: Folder of data sets.
        seeds: Number of seeds; `None`: each study's.
        settings: Further settings of all runs.
        jobs: Number of runs that are trained at a time.
        scheduler: Dask scheduler, as for `run_study`.

    Raises:
        InputError: If a study is impossible or its data are missing; before anything is trained.
        LsKerasError: As `run_study`, if no study has a result.
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
    all_parts = [part for parts in chosen.values() for part in parts.values()]
    if data_dir is not None and all(part.data is None for part in all_parts):
        raise InputError(
            "Expected --data-dir only with studies that read it (--scale data or paper). "
            f"Received: {data_dir} with the scale {scale}"
        )
    found: dict[str, StudyResult] = {}
    failed: dict[str, LsKerasError] = {}
    reproduced = []
    for result, parts in chosen.items():
        for name in [name for name in parts if name not in {**found, **failed}]:
            task = load_task(studies[name].task)
            try:
                with needing_extra(task):
                    found[name] = run_study(
                        studies[name],
                        task,
                        directory / name,
                        reporter,
                        command=command,
                        jobs=jobs,
                        scheduler=scheduler,
                    )
            except LsKerasError as error:
                reporter.warning(f"{name}: {error}")
                failed[name] = error
        finished = {name: part for name, part in parts.items() if name in found}
        one = Reproduced(
            result,
            scale,
            {name: found[name] for name in finished},
            tuple(_draw_figures(result, finished, found, directory, reporter)),
            {name: str(failed[name]) for name in parts if name in failed},
        )
        if one.found:  # else the result of an earlier call is kept
            file = directory / f"{result.name}.json"
            write_json(file, _add_earlier(one.to_dict(), file, new={*parts}))
        reproduced.append(one)
    if not found:
        raise next(iter(failed.values()))
    return reproduced


def _add_earlier(content: dict[str, Any], file: Path, new: Set[str]) -> dict[str, Any]:
    """Adds the studies of an earlier call that are not among the new ones."""
    try:
        earlier = json.loads(file.read_text())
        studies = {k: v for k, v in earlier["studies"].items() if k not in new}
        drawn = [f for f in earlier["figures"] if f not in content["figures"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return content  # there is no earlier file, or it is damaged and replaced
    ends = tuple(f"-{name}.png" for name in studies)
    figures = [f for f in drawn if str(f).endswith(ends)]
    return content | {
        "studies": studies | content["studies"],
        "figures": figures + content["figures"],
    }


def costs_of(parts: Mapping[str, Part], directory: Path, seeds: int | None = None) -> Cost:
    """Returns the cost of a result at a scale, and its progress; without Keras.

    Args:
        parts: Its studies by name.
        directory: Folder that `reproduce` has put its runs into, if it has.
        seeds: Number of seeds; `None`: each study's.
    """
    minutes, jobs = 0.0, list[Job]()
    for name, part in parts.items():
        study = dataclasses.replace(part.study, seeds=seeds or part.study.seeds)
        minutes += part.cost(seeds)
        jobs += jobs_of(directory / name, arms_of(study, load_task(study.task)), study.seeds)
    finished = [job.run for job in jobs if job.finished]
    took = sum(run.read_metrics().seconds for run in finished) / 60
    return Cost(minutes, took, len(jobs), len(finished))


def _draw_figures(
    result: Result,
    parts: Mapping[str, Part],
    found: Mapping[str, StudyResult],
    directory: Path,
    reporter: Reporter,
) -> list[Path]:
    """Draws a result's figure for each of its studies; failures are reported."""
    files: list[Path] = []
    for name, part in parts.items() if result.figure else ():
        file = directory / f"{result.name}-{name}.png"
        try:
            files.append(
                draw(result.figure or "", part, found[name], directory / name, file, reporter)
            )
        except LsKerasError as error:
            reporter.warning(f"{result.name}, {name}: not drawn: {error}")
    return files


def draw(
    figure: str, part: Part, result: StudyResult, folder: Path, file: Path, reporter: Reporter
) -> Path:
    """Draws a figure from a study's runs with the first seed, with its numbers as CSV and JSON.

    Args:
        figure: `Result.figure`.
        part: The study.
        result: Its result.
        folder: Its folder, into which the figure `distillation` is drawn.
        file: The PNG to write.
        reporter: Receives progress.

    Returns:
        The file of the figure.

    Raises:
        LsKerasError: If the numbers for the figure are missing.
    """
    if figure == "distillation":
        draw_figure(result, folder, f"{part.study.preset}, {result.split}")
        return folder / FIGURE_FILE
    paths = [folder / RUNS / f"{arm}-seed0" for arm in result.arms]
    runs = [open_run(path) for path in paths if path.name not in result.missing]
    if not runs:
        raise LsKerasError(f"Expected a finished run with seed 0. Received: none in {folder}")
    if figure == "projection":
        from lsk_engine.scoring.project import project_runs

        project_runs(runs, reporter, file, classes=part.classes)
    elif figure == "reliability":
        from lsk_engine.studies.reliability import compare_reliability

        compare_reliability([run.directory for run in runs], part.study.split, file)
    elif figure == "temperature":
        from lsk_engine.scoring.sweeps import sweep_temperature

        sweep_temperature(runs, TEMPERATURES, file, reporter)
    else:
        draw_information(runs, file)
    return file


def draw_information(runs: Sequence[StoredRun], file: Path) -> None:
    """Draws the mutual information of runs, which `lsk probe` has measured: Figure 6."""
    from ls_keras.plots import information_curve, save_plot

    alphas = [config.training.alpha for *_, config in runs]
    curves = {}
    for name, (run, *_) in zip(
        name_by_alpha([run.path for run, *_ in runs], alphas), runs, strict=True
    ):
        points = read_record(run.information_file.with_suffix(".json"), list[InformationPoint])
        curves[name] = [point.to_dict() for point in points]
    save_plot(information_curve, curves, file)

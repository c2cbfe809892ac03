"""Finds the studies and runs in folders and reads them, those that belong together in one."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from os.path import lexists
from pathlib import Path

from ls_base.errors import InputError, LsKerasError
from lsk_engine.reports.run_files import ReadRun, read_run
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.schemas import StoredConfig
from lsk_engine.studies.settings_diff import comparable_settings, name_settings, without_seed
from lsk_engine.studies.study_result import (
    FIGURE_FILE,
    RESULTS_FILE,
    RUNS,
    CurvePoint,
    StudyResult,
    read_curves,
    read_study_result,
    settings_file,
)

MOST_CURVES = 6  # of a diagram; more cannot be distinguished
_MAX_LABEL = 40  # characters


@dataclasses.dataclass(frozen=True)
class ReportInputs:
    """The folders that a report reads.

    Attributes:
        runs: Run directories by their name in the report.
        studies: Study folders by their name in the report.
    """

    runs: dict[str, Path] = dataclasses.field(default_factory=dict)
    studies: dict[str, Path] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ only in their seed.

    Attributes:
        label: The name in legends.
        look: The number of the color, dash pattern and marker.
        runs: The runs.
    """

    label: str
    look: int
    runs: tuple[ReadRun, ...]


def group_runs(runs: Iterable[ReadRun]) -> list[Group]:
    """Returns the groups, in the order of their first runs.

    The label of a group is the settings in which the groups differ, or the run's folder if there
    are many such settings or only one run.

    Args:
        runs: The runs; those without a readable configuration are left out.
    """
    by_settings: dict[str, list[ReadRun]] = {}
    for run in runs:
        if run.config is not None:
            settings = sorted(
                (key, repr(value)) for key, value in comparable_settings(run.settings).items()
            )
            by_settings.setdefault(repr(settings), []).append(run)
    groups = list(by_settings.values())
    labels = _labels([group[0] for group in groups])
    return [
        Group(label, look, tuple(group))
        for look, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]


def _labels(runs: Sequence[ReadRun]) -> list[str]:
    """Returns the labels of groups, given a run of each."""
    labels = name_settings([run.settings for run in runs])
    short = all(label and len(label) <= _MAX_LABEL for label in labels)
    if short and len(set(labels)) == len(labels):
        return labels
    folders = [without_seed(run.name) for run in runs]
    return folders if len(set(folders)) == len(folders) else [run.name for run in runs]


@dataclasses.dataclass
class Collection:
    """The runs of a study, or all other runs of a task.

    Attributes:
        title: The heading.
        runs: The runs.
        study: The result of the study.
        points: The networks of the study's curves of teachers and students.
        score: The name of their score.
        unfinished: How to finish the study; empty: it is finished.
        problems: A line for each file that could not be read.
    """

    title: str
    runs: list[ReadRun]
    study: StudyResult | None = None
    points: list[CurvePoint] = dataclasses.field(default_factory=list)
    score: str = ""
    unfinished: str = ""
    problems: list[str] = dataclasses.field(default_factory=list)

    @property
    def readable(self) -> list[ReadRun]:
        """The runs with a readable configuration."""
        return [run for run in self.runs if run.config is not None]

    def about(self) -> str:
        """Returns a line about the runs: task, preset, α, seeds and how many are finished."""
        configs = [run.config for run in self.runs if run.config is not None]
        finished = sum(run.metrics is not None for run in self.runs)
        alphas, seeds = _values(configs, "alpha"), _values(configs, "seed")
        parts = [
            ", ".join(dict.fromkeys(f"{c['task']}, {c['preset']}" for c in configs)),
            f"α {alphas}",
            f"seed{'s' * (',' in seeds)} {seeds}",
        ]
        count = f"{len(self.runs)} run{'s' * (len(self.runs) != 1)}, {finished} finished"
        return "; ".join([*(parts if configs else ()), count])

    def chunks(self) -> list[list[Group]]:
        """Returns the groups of runs, in parts that can be distinguished in one diagram."""
        groups = group_runs(self.runs)
        return [
            [
                dataclasses.replace(group, look=look)
                for look, group in enumerate(groups[i : i + MOST_CURVES])
            ]
            for i in range(0, len(groups), MOST_CURVES)
        ]

    def score_label(self) -> str:
        """Returns the label of the score of `points`."""
        labels = (run.metrics.labels for run in self.runs if run.metrics is not None)
        return next((of[self.score] for of in labels if self.score in of), self.score)


def find_inputs(folders: Sequence[Path]) -> ReportInputs:
    """Finds runs and studies in folders; a folder may be one itself.

    Links to folders are not followed, and run directories are not searched.

    Args:
        folders: Existing folders.

    Raises:
        InputError: If a folder does not exist, or contains no run or study.
    """
    inputs, seen = ReportInputs(), set[Path]()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"Expected a run, or a folder with runs. Received: {folder}")
        empty = True
        for name, inner, _ in os.walk(folder):
            path = Path(name)
            is_run = lexists(RunDirectory(path).config_file)
            # The file's name alone is not enough: `lsk sweep-temperature --output study.png`
            # writes a `study.json`, too.
            is_study = RUNS in inner and lexists(settings_file(path))
            inner[:] = [] if is_run else sorted(name for name in inner if name[:1] != ".")
            if not is_run and not is_study:
                continue
            empty = False
            if path.resolve() not in seen:
                seen.add(path.resolve())
                known = inputs.runs if is_run else inputs.studies
                known[_name(path, folder, known)] = path
        if empty:
            raise InputError(
                "Expected a folder with a run that `lsk train` made, or a study's. "
                f"Received: {folder}, which holds none"
            )
    return inputs


def collect(inputs: ReportInputs) -> list[Collection]:
    """Reads studies with their runs, then the other runs by task.

    Args:
        inputs: The folders to read.
    """
    runs = {path: read_run(name, path) for name, path in inputs.runs.items()}
    # If a study lies in the folder of another one, the inner study takes its runs first.
    inner_first = sorted(inputs.studies.values(), key=lambda folder: -len(folder.resolve().parts))
    inside = {folder: _take_inside(runs, folder) for folder in inner_first}
    collections = [_study(name, path, inside[path]) for name, path in inputs.studies.items()]
    by_task: dict[str, list[ReadRun]] = {}
    for run in runs.values():
        task = run.config["task"] if run.config is not None else ""
        by_task.setdefault(task, []).append(run)
    for task, of_task in by_task.items():
        title = f"Task {task}" if task else "Runs that can’t be read"
        collections.append(Collection(title, of_task))
    for one in collections:
        one.problems += [problem for run in one.runs for problem in run.problems]
    return collections


def _name(path: Path, folder: Path, known: dict[str, Path]) -> str:
    """Returns the path below the folder, or the whole path if that name is in use."""
    name = path.relative_to(folder).as_posix()
    if name == ".":
        name = path.resolve().name
    return str(path) if name in known else name


def _values(configs: Sequence[StoredConfig], name: str) -> str:
    """Returns the distinct numeric values of a training setting; others are not listed."""
    found = {config["training"].get(name, 0) for config in configs if _is_number(config, name)}
    return ", ".join(f"{value:g}" for value in sorted(found))


def _is_number(config: StoredConfig, name: str) -> bool:
    value = config["training"].get(name, 0)
    return isinstance(value, int | float) and abs(value) <= 1e100


def _take_inside(runs: dict[Path, ReadRun], folder: Path) -> list[ReadRun]:
    """Removes the runs inside a folder from `runs` and returns them."""
    whole = folder.resolve()
    return [runs.pop(path) for path in [*runs] if path.resolve().is_relative_to(whole)]


def _study(name: str, folder: Path, runs: Sequence[ReadRun]) -> Collection:
    collection = Collection(f"Study {name}", [*runs])
    if not lexists(folder / RESULTS_FILE):
        collection.unfinished = f"{folder} is not finished: the same command continues it"
        return collection
    try:
        collection.study = read_study_result(folder)
        if lexists((folder / FIGURE_FILE).with_suffix(".json")):
            collection.score, collection.points = read_curves(folder)
    except LsKerasError as error:
        collection.problems.append(str(error))
    return collection

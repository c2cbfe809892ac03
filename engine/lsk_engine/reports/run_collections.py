"""Runs that belong together: a study's, or those of one task."""

import dataclasses
from collections.abc import Sequence
from os.path import lexists
from pathlib import Path

from ls_base.errors import LsKerasError
from lsk_engine.reports.discover import Found
from lsk_engine.reports.groups import Group, groups_of
from lsk_engine.reports.reliability_charts import MOST_CURVES
from lsk_engine.reports.run_files import ReadRun, read_run
from lsk_engine.runs.schemas import StoredConfig
from lsk_engine.studies.study_folder import FIGURE_FILE, RESULTS_FILE
from lsk_engine.studies.study_result import (
    CurvePoint,
    StudyResult,
    read_curves,
    read_study_result,
)

_LARGEST = 1e100  # of a setting that is told


@dataclasses.dataclass
class Collection:
    """Runs that are shown together.

    Attributes:
        title: What they are.
        runs: The runs.
        study: What their study found.
        points: The points of its curves of teachers and students.
        score: The name of these points' score.
        unfinished: What would finish the study; empty: it is.
        problems: A line for each file, of runs or of what they belong to, that can't be read.
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
        """The runs whose configuration could be read."""
        return [run for run in self.runs if run.config is not None]

    def about(self) -> str:
        """Returns what the runs are, in a line."""
        configs = [run.config for run in self.runs if run.config is not None]
        finished = sum(run.metrics is not None for run in self.runs)
        alphas, seeds = _numbers(configs, "alpha"), _numbers(configs, "seed")
        parts = [
            ", ".join(dict.fromkeys(f"{c['task']}, {c['preset']}" for c in configs)),
            f"α {alphas}",
            f"seed{'s' * (',' in seeds)} {seeds}",
        ]
        count = f"{len(self.runs)} run{'s' * (len(self.runs) != 1)}, {finished} finished"
        return "; ".join([*(parts if configs else ()), count])

    def chunks(self) -> list[list[Group]]:
        """Returns the groups of runs, as many together as can be told apart in a diagram."""
        groups = groups_of(self.runs)
        return [
            [
                dataclasses.replace(group, look=look)
                for look, group in enumerate(groups[i : i + MOST_CURVES])
            ]
            for i in range(0, len(groups), MOST_CURVES)
        ]

    def score_label(self) -> str:
        """Returns what the score of the points is called."""
        labels = (run.metrics.labels for run in self.runs if run.metrics is not None)
        return next((of[self.score] for of in labels if self.score in of), self.score)


def collect(found: Found) -> list[Collection]:
    """Reads what was found: studies, then the other runs by task."""
    runs = {path: read_run(name, path) for name, path in found.runs.items()}
    # A study may lie in the folder of another: the inner one has its runs.
    inner_first = sorted(found.studies.values(), key=lambda folder: -len(folder.resolve().parts))
    inside = {folder: _inside(runs, folder) for folder in inner_first}
    collections = [_study(name, path, inside[path]) for name, path in found.studies.items()]
    by_task: dict[str, list[ReadRun]] = {}
    for run in runs.values():
        task = run.config["task"] if run.config is not None else ""
        by_task.setdefault(task, []).append(run)
    collections += [Collection(_title(task), of_task) for task, of_task in by_task.items()]
    for one in collections:
        one.problems += [problem for run in one.runs for problem in run.problems]
    return collections


def _numbers(configs: Sequence[StoredConfig], name: str) -> str:
    """Returns the values of a setting of the training, each once; what is no number is left out."""
    values = {config["training"].get(name, 0) for config in configs if _is_number(config, name)}
    return ", ".join(f"{value:g}" for value in sorted(values))


def _is_number(config: StoredConfig, name: str) -> bool:
    value = config["training"].get(name, 0)
    return isinstance(value, int | float) and abs(value) <= _LARGEST


def _inside(runs: dict[Path, ReadRun], folder: Path) -> list[ReadRun]:
    """Takes the runs in a folder out of those that are left."""
    whole = folder.resolve()
    return [runs.pop(path) for path in [*runs] if path.resolve().is_relative_to(whole)]


def _study(name: str, folder: Path, runs: Sequence[ReadRun]) -> Collection:
    collection = Collection(f"Study {name}", [*runs])
    if not lexists(folder / RESULTS_FILE):
        collection.unfinished = f"{folder} is not finished: the same command goes on"
        return collection
    try:
        collection.study = read_study_result(folder)
        if lexists((folder / FIGURE_FILE).with_suffix(".json")):
            collection.score, collection.points = read_curves(folder)
    except LsKerasError as error:
        collection.problems.append(str(error))
    return collection


def _title(task: str) -> str:
    return f"Task {task}" if task else "Runs that can't be read"

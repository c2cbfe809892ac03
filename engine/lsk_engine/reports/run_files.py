"""What a report reads of a run: each file that is there, by its typed reader.

A file that is damaged is told in one line and left out; the others are read all the same.
"""

import dataclasses
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os.path import lexists
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from ls_base.errors import LsKerasError
from lsk_engine.reports.pictures import Picture, read_picture
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.runs.schemas import (
    Calibration,
    HistoryEntry,
    InformationPoint,
    Metrics,
    Projections,
    ReliabilityBin,
    StoredConfig,
    SweepPoint,
    SweepPoints,
)
from lsk_engine.settings.parsing import flat


class Search(NamedTuple):
    """A way to search, whatever the beam: a digest of model and settings, T, and the α undone."""

    elsewise: str
    temperature: float
    undone_alpha: float


def swept_beams(points: Iterable[SweepPoint]) -> dict[Search, list[SweepPoint]]:
    """Returns the points of searches that were made with several beams, in the order of these.

    Args:
        points: Of a run and split; those of earlier versions don't tell their beam.
    """
    found: dict[Search, dict[int, SweepPoint]] = {}
    for point in points:
        if point.elsewise is not None and point.beam_size is not None:
            search = Search(point.elsewise, point.temperature, point.undone_alpha or 0.0)
            found.setdefault(search, {})[point.beam_size] = point
    return {
        search: [of_search[beam_size] for beam_size in sorted(of_search)]
        for search, of_search in found.items()
        if len(of_search) > 1
    }


def swept_temperatures(points: Iterable[SweepPoint]) -> list[list[SweepPoint]]:
    """Returns the points of sweeps over temperatures, those of one model and search together.

    A point of a sweep over beams, which has no NLL, is among them where the same search was made
    at other temperatures, too.

    Args:
        points: Of a run and split; those of earlier versions have no NLL either.
    """
    found: dict[str, list[SweepPoint]] = {}
    for point in points:
        found.setdefault(point.settings, []).append(point)
    return [
        of_search
        for of_search in found.values()
        if len(of_search) > 1 or of_search[0].nll is not None or of_search[0].elsewise is None
    ]


T = TypeVar("T")
_Several = Annotated[list[str], msgspec.Meta(min_length=1)]


@dataclasses.dataclass
class ReadRun:
    """A run as its files tell of it; what isn't there is `None` or empty.

    Attributes:
        name: What the report calls it.
        directory: The run.
        config: The configuration.
        starts: Environment and command of each start.
        history: A line an epoch.
        metrics: The final scores.
        calibrated: Those of the calibrated model.
        calibration: What was fitted.
        reliability: The bins of the reliability curve by split and, second, whether they are the
            calibrated model's.
        sweeps: The points of sweeps over temperatures and beams by split.
        information: The curve of mutual information.
        projections: What the projection's pictures show.
        outputs: What was decoded by split, where it is text.
        references: What that is compared with; of an example all that is right.
        pictures: Pictures without numbers that a report could draw, by file name.
        problems: A line for each file that can't be read.
    """

    name: str
    directory: RunDirectory
    config: StoredConfig | None = None
    starts: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    history: list[HistoryEntry] = dataclasses.field(default_factory=list)
    metrics: Metrics | None = None
    calibrated: Metrics | None = None
    calibration: Calibration | None = None
    reliability: dict[tuple[str, bool], list[ReliabilityBin]] = dataclasses.field(
        default_factory=dict
    )
    sweeps: dict[str, list[SweepPoint]] = dataclasses.field(default_factory=dict)
    information: list[InformationPoint] = dataclasses.field(default_factory=list)
    projections: Projections | None = None
    outputs: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    references: dict[str, list[tuple[str, ...]]] = dataclasses.field(default_factory=dict)
    pictures: dict[str, Picture] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration by dotted key."""
        return flat(self.config or {})

    @property
    def splits(self) -> list[str]:
        """The splits that have scores."""
        return list(self.metrics.splits if self.metrics else {})

    def command(self, start: Mapping[str, Any]) -> str:
        """Returns the command of a start, as a shell takes it; empty: it isn't known.

        Args:
            start: One of `starts`.
        """
        words = start.get("command")
        if not isinstance(words, list) or not words:
            return ""
        program, *arguments = map(str, words)
        # `python -c` and `python -m` are how the program starts itself.
        ours = Path(program).name in ("lsk", "-c", "__main__.py", "main.py")
        return shlex.join(["lsk" if ours else program, *arguments])


def read_run(name: str, path: Path) -> ReadRun:
    """Reads what a run's files hold.

    Args:
        name: What the report calls the run.
        path: The run directory.
    """
    run = RunDirectory(path)
    found = ReadRun(name, run)
    config = _tried(found, run.read_config)
    if config is None:
        return found
    found.config = config
    found.starts = _tried(found, run.read_starts) or []
    found.history = _tried(found, run.read_history) or []
    found.calibration = _tried(found, run.read_calibration)
    found.metrics = _if_there(found, run.metrics_file, run.read_metrics)
    found.calibrated = _if_there(
        found, run.calibrated_metrics_file, lambda: _metrics(run, run.calibrated_metrics_file)
    )
    found.information = _json(found, run.information_file, list[InformationPoint]) or []
    statistics = run.projection_file.with_name(f"{run.projection_file.stem}-statistics.json")
    found.projections = _json(found, statistics, Projections)
    for split in found.splits:
        _read_split(found, split)
    _read_pictures(found)
    return found


def _metrics(run: RunDirectory, file: Path) -> Metrics:
    return Metrics.of(run.read(file, dict[str, Any], schema=SCHEMA), str(file))


def _read_split(found: ReadRun, split: str) -> None:
    run = found.directory
    for calibrated in (False, True):
        file = _tried(found, partial(run.reliability_file, split, calibrated=calibrated))
        if file is None:
            return  # its name can be no file's
        if bins := _json(found, file, list[ReliabilityBin]):
            found.reliability[split, calibrated] = bins
    if points := _json(found, run.sweep_file(split), SweepPoints):
        found.sweeps[split] = points.points
    outputs = _json(found, run.outputs_file(split), list[Any]) or []
    said = [one.get("text") if isinstance(one, dict) else one for one in outputs]
    texts = [text for text in said if isinstance(text, str)]
    if texts and len(texts) == len(said):
        found.outputs[split] = texts
    references = _json(found, run.references_file(split), list[str | _Several]) or []
    if not references or split not in found.outputs:
        return
    if len(references) == len(outputs):
        found.references[split] = [(o,) if isinstance(o, str) else tuple(o) for o in references]
    else:
        found.problems.append(
            f"Expected as many references as outputs in {run.references_file(split)}. "
            f"Received: {len(references)} and {len(outputs)}"
        )


def _read_pictures(found: ReadRun) -> None:
    run = found.directory
    if not run.evaluation.is_dir():
        return
    drawn = {run.information_file.name, run.learning_curves_file.name}
    for split in found.splits:
        drawn |= {run.reliability_file(split, calibrated=c).name for c in (False, True)}
    for file in sorted(run.evaluation.glob("*.png")):
        sweep = file.stem.endswith("temperature-sweep")
        if file.name not in drawn and not sweep and not file.name.startswith("."):
            picture = _tried(found, partial(read_picture, file))
            if picture is not None:
                found.pictures[file.stem] = picture


def _json(found: ReadRun, file: Path, kind: type[T]) -> T | None:
    """Reads a JSON file, or the one beside a picture, if it is there."""
    file = file.with_suffix(".json")
    return _if_there(found, file, lambda: found.directory.read(file, kind))


def _if_there(found: ReadRun, file: Path, read: Callable[[], T]) -> T | None:
    return _tried(found, read) if lexists(file) else None


def _tried(found: ReadRun, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except LsKerasError as error:
        found.problems.append(str(error))
        return None

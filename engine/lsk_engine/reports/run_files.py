"""Reads the files of a run that a report shows.

A damaged file becomes one line in `ReadRun.problems` and is left out; the others are still read.
"""

import base64
import dataclasses
import shlex
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os.path import lexists
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from ls_base.errors import FileError, LsKerasError
from ls_base.safe_open import read_bytes
from lsk_engine.reports.tables import Picture
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

_MAX_PICTURE = 1 << 24  # bytes
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_MAX_SIDE = 1 << 16  # pixels
T = TypeVar("T")
_References = list[str | Annotated[list[str], msgspec.Meta(min_length=1)]]


class Search(NamedTuple):
    """The settings of a search other than its beam size.

    Attributes:
        search: A hash of the model and of all other settings.
        temperature: The temperature T.
        undone_alpha: The label smoothing α that the search undoes.
    """

    search: str
    temperature: float
    undone_alpha: float


@dataclasses.dataclass
class ReadRun:
    """A run as stored in its files; what does not exist is `None` or empty.

    Attributes:
        name: The name in the report.
        directory: The run directory.
        config: The configuration.
        starts: Environment and command of each start.
        history: An entry for each epoch.
        metrics: The final scores.
        calibrated: The scores of the calibrated model.
        calibration: The fitted calibration.
        reliability: The bins of reliability curves by split and whether the model is calibrated.
        sweeps: The points of temperature and beam sweeps by split.
        information: The curve of mutual information.
        projections: The contents of the projection's pictures.
        outputs: The decoded texts by split.
        references: For each output, the correct texts, by split.
        pictures: The pictures that the report cannot draw from numbers, by file name.
        problems: A line for each file that could not be read.
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
        """Returns the command of a start, quoted for a shell; empty: it is unknown.

        Args:
            start: One of `starts`.
        """
        words = start.get("command")
        if not isinstance(words, list) or not words:
            return ""
        program, *arguments = map(str, words)
        # The program starts itself with `python -c` and `python -m`.
        is_lsk = Path(program).name in ("lsk", "-c", "__main__.py", "main.py")
        return shlex.join(["lsk" if is_lsk else program, *arguments])


def read_run(name: str, path: Path) -> ReadRun:
    """Reads the files of a run.

    Args:
        name: The name of the run in the report.
        path: The run directory.
    """
    run = RunDirectory(path)
    found = ReadRun(name, run)
    found.config = _try(found, run.read_config)
    if found.config is None:
        return found
    found.starts = _try(found, run.read_starts) or []
    found.history = _try(found, run.read_history) or []
    found.calibration = _try(found, run.read_calibration)
    found.metrics = _if_exists(found, run.metrics_file, run.read_metrics)
    for split in found.splits:
        if _try(found, partial(run.reliability_file, split)) is None:
            # A split whose name cannot be part of a file name: none of its files can be named.
            return ReadRun(name, run, problems=found.problems)
    file = run.calibrated_metrics_file
    found.calibrated = _if_exists(found, file, lambda: _read_metrics(run, file))
    found.information = _read_json(found, run.information_file, list[InformationPoint]) or []
    statistics = run.projection_file.with_name(f"{run.projection_file.stem}-statistics.json")
    found.projections = _read_json(found, statistics, Projections)
    for split in found.splits:
        _read_split(found, split)
    _read_pictures(found)
    return found


def swept_beams(points: Iterable[SweepPoint]) -> dict[Search, list[SweepPoint]]:
    """Returns searches that were run with several beam sizes, with their points by beam size.

    Args:
        points: The sweep points of a run and split.
    """
    found: dict[Search, dict[int, SweepPoint]] = {}
    for point in points:
        if point.beam_size is not None:
            search = Search(point.search, point.temperature, point.undone_alpha or 0.0)
            found.setdefault(search, {})[point.beam_size] = point
    return {
        search: [by_beam[beam_size] for beam_size in sorted(by_beam)]
        for search, by_beam in found.items()
        if len(by_beam) > 1
    }


def swept_temperatures(points: Iterable[SweepPoint]) -> list[list[SweepPoint]]:
    """Returns the points of temperature sweeps, one list for each model and search.

    A point of a beam sweep, which has no NLL, is included if the same search was run at other
    temperatures.

    Args:
        points: The sweep points of a run and split.
    """
    found: dict[tuple, list[SweepPoint]] = {}
    for point in points:
        search = (point.search, point.beam_size, point.undone_alpha)
        found.setdefault(search, []).append(point)
    return [one for one in found.values() if len(one) > 1 or one[0].nll is not None]


def read_picture(file: Path) -> Picture:
    """Reads a PNG file.

    Args:
        file: The file, of at most 16 MiB.

    Raises:
        FileError: If it cannot be read, or is not a complete PNG.
    """
    content = read_bytes(file, max_bytes=_MAX_PICTURE)
    if not content.startswith(_PNG) or content[12:16] != b"IHDR":
        raise FileError(f"Expected a PNG at {file}. Received: something else")
    if not content.endswith(_PNG_END):
        raise FileError(f"Expected a whole PNG at {file}. Received: one without its end")
    width, height = struct.unpack(">II", content[16:24])
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise FileError(f"Expected a PNG of a size at {file}. Received: {width} × {height}")
    return Picture(base64.b64encode(content).decode("ascii"), width, height)


def _read_metrics(run: RunDirectory, file: Path) -> Metrics:
    return Metrics.of(run.read(file, dict[str, Any], schema=SCHEMA), str(file))


def _read_split(found: ReadRun, split: str) -> None:
    run = found.directory
    for calibrated in (False, True):
        file = run.reliability_file(split, calibrated=calibrated)
        if bins := _read_json(found, file, list[ReliabilityBin]):
            found.reliability[split, calibrated] = bins
    if points := _read_json(found, run.sweep_file(split), SweepPoints):
        found.sweeps[split] = points.points
    outputs = _read_json(found, run.outputs_file(split), list[Any]) or []
    cells = [one.get("text") if isinstance(one, dict) else one for one in outputs]
    texts = [text for text in cells if isinstance(text, str)]
    if not texts or len(texts) != len(cells):
        return
    found.outputs[split] = texts
    references = _read_json(found, run.references_file(split), _References) or []
    if references and len(references) != len(outputs):
        found.problems.append(
            f"Expected as many references as outputs in {run.references_file(split)}. "
            f"Received: {len(references)} and {len(outputs)}"
        )
    elif references:
        found.references[split] = [(o,) if isinstance(o, str) else tuple(o) for o in references]


def _read_pictures(found: ReadRun) -> None:
    run = found.directory
    if not run.evaluation.is_dir():
        return
    drawn = {run.information_file.name, run.learning_curves_file.name}
    for split in found.splits:
        drawn |= {run.reliability_file(split, calibrated=c).name for c in (False, True)}
    for file in sorted(run.evaluation.glob("*.png")):
        is_sweep = file.stem.endswith("temperature-sweep")
        if file.name not in drawn and not is_sweep and not file.name.startswith("."):
            picture = _try(found, partial(read_picture, file))
            if picture is not None:
                found.pictures[file.stem] = picture


def _read_json(found: ReadRun, file: Path, kind: type[T]) -> T | None:
    """Reads a JSON file, or the one beside a picture, if it exists."""
    file = file.with_suffix(".json")
    return _if_exists(found, file, lambda: found.directory.read(file, kind))


def _if_exists(found: ReadRun, file: Path, read: Callable[[], T]) -> T | None:
    return _try(found, read) if lexists(file) else None


def _try(found: ReadRun, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except LsKerasError as error:
        found.problems.append(str(error))
        return None

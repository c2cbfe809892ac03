"""Schemas of a run's JSON files: one class per file."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

import msgspec

from ls_base.errors import InputError, LsKerasError
from ls_base.records import Count, Finite, Record, convert_record

Temperature = Annotated[float, msgspec.Meta(gt=0, le=1e308)]


class _Parts(TypedDict):
    task: str
    preset: str
    training: dict[str, Any]
    optimizer: dict[str, Any]
    data: dict[str, Any]
    model: dict[str, Any]
    decoding: dict[str, Any]


class StoredConfig(_Parts, total=False):
    """`config.json`: the parts of a configuration; the task's classes check their keys."""

    distillation: dict[str, Any]
    data_cache: str  # relative to the run


class Starts(Record, frozen=True):
    """`environment.json`: an entry for each start of the run, the oldest first."""

    starts: list[dict[str, Any]]


class HistoryEntry(TypedDict):
    """A line of `history.jsonl`."""

    step: Count
    epoch: Count
    train: dict[str, float]
    validation: dict[str, float]


class Calibration(Record, frozen=True):
    """`calibration.json`, as far as other commands read it."""

    method: Literal["temperature", "vector"]
    temperature: Temperature | None


class SweepPoint(Record, frozen=True):
    """A point of a sweep over temperatures or beams: its model, its search, and its scores.

    A sweep over beams has neither NLL nor ECE. `search` is a hash of the model and of the settings
    of its search other than T, beam size and removed α.
    """

    search: str
    temperature: Temperature
    values: dict[str, float]
    labels: dict[str, str]
    intervals: dict[str, tuple[float, float]]
    nll: float | None = None
    ece: float | None = None
    beam_size: Count | None = None
    undone_alpha: float | None = None


class SweepPoints(Record, frozen=True):
    """The file of a run's sweeps over temperatures and beams."""

    points: list[SweepPoint]


class ReliabilityBin(Record, frozen=True):
    """A row of `reliability-SPLIT.json`; an empty bin has no confidence."""

    edge_low: Finite
    edge_high: Finite
    count: Finite
    confidence: Finite | None
    accuracy: Finite | None
    accuracy_low: Finite | None
    accuracy_high: Finite | None
    ece: Finite | None


class InformationPoint(Record, frozen=True):
    """A row of `mutual-information.json`, in nats."""

    step: Count
    mutual_information: Finite
    low: Finite
    high: Finite
    num_examples: Count = 0


class ProjectedRun(Record, frozen=True):
    """A run of `projection-statistics.json`."""

    names: list[str]


class Projections(Record, frozen=True):
    """`projection-statistics.json`: the runs in the figures beside it."""

    split: str
    runs: list[ProjectedRun]


class Gammas(Record, frozen=True):
    """`equivalent-smoothing.json`: a teacher's γ by its temperature."""

    model_sha256: str
    gamma: dict[str, Finite]


class Metrics(Record, frozen=True):
    """`metrics.json`: the final scores; in the file, each split is a key beside the others."""

    schema: Literal[1]
    run: str
    task: str
    preset: str
    alpha: Finite
    labels: dict[str, str]
    signatures: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    notes: list[str] = []  # noqa: RUF012
    calibrated: bool = False
    smoothing: str = "uniform"
    seed: int = 0
    distillation: dict[str, Any] | None = None
    better: dict[str, Literal["less", "more"]] | None = None
    bounds: dict[str, tuple[Finite, Finite | None]] | None = None
    seconds: Finite = 0.0
    splits: dict[str, dict[str, float]] = {}  # noqa: RUF012

    @classmethod
    def of(cls, content: Mapping[str, Any], name: str) -> "Metrics":
        """Converts the content of the file.

        Args:
            content: The file's content.
            name: The file's name in an error.

        Raises:
            FileError: If it holds something else.
        """
        named = {key: content[key] for key in cls.__struct_fields__ if key in content}
        splits = {
            key: value
            for key, value in content.items()
            if key not in named and isinstance(value, Mapping)
        }
        for split, scores in splits.items():
            convert_record(scores, dict[str, float], f"{split} of {name}")
            convert_record(scores, _Common, f"{split} of {name}")
        return convert_record({**named, "splits": splits}, cls, name)

    def first_score(self, split: str) -> tuple[str, str, float]:
        """Returns name, label and value of the task's first score.

        Args:
            split: The name of the split.

        Raises:
            InputError: If the run has no such split.
            LsKerasError: If the split lacks the score.
        """
        if split not in self.splits:
            raise InputError(f"Expected a split of {', '.join(self.splits)}. Received: {split!r}")
        score, label = next(iter(self.labels.items()), ("", ""))
        if score in self.splits[split]:
            return score, label, self.splits[split][score]
        raise LsKerasError(
            f"Expected the task's own score of {split} in the metrics of {self.run}. Received: none"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the content of the file."""
        values = msgspec.to_builtins(self)
        splits = values.pop("splits")
        return {name: value for name, value in {**values, **splits}.items() if value is not None}


class _Common(Record, frozen=True):
    nll: float

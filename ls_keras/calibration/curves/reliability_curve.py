"""The reliability curve as data, and its computation from confidence and correctness."""

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.files import nan_to_none
from ls_base.records import decode_record
from ls_base.safe_open import read_bytes
from ls_keras.calibration.curves.intervals import binomial_intervals, error_interval
from ls_keras.calibration.curves.top_label_statistics import check_level, read_statistics
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_flag, as_number, as_path, as_seed
from ls_keras.metrics.binning import check_num_bins, equal_width_edges
from ls_keras.metrics.calibration_error import Bins, calibration_error

_SCHEMA = 1
_MOST_BYTES = 1 << 26


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReliabilityCurve(BriefRepr):
    """Accuracy against confidence over bins of confidence.

    Bins without examples hold NaN for confidence and accuracy (`null` in JSON).

    Attributes:
        edges: B + 1 edges of the bins, left-open and right-closed.
        counts: B sums of the weights of each bin's examples; their number, without weights.
        confidence: B mean confidences.
        accuracy: B accuracies.
        accuracy_low: B lower ends of the Clopper–Pearson intervals of the accuracies.
        accuracy_high: B upper ends. The intervals assume independent examples (with weights:
            as many as (Σw)² / Σw²).
        ece: Expected calibration error of these bins, Σ_b (n_b/N) |accuracy_b − confidence_b|.
        ece_corrected: The ECE without its bias; noise in the bins makes `ece` too large.
        ece_low: Lower end of the interval of the true ECE, see
            `ls_keras.calibration.curves.intervals`. It is bias-corrected too, so it
            may lie below `ece`. NaN with a single group.
        ece_high: Upper end.
        level: Level of all intervals.
        examples: Number of examples that counted.
        groups: Number of groups (sentences) they belong to.
        temperature: The temperature that the predictions were scaled with, or `None`.
        rms: Root of Σ_b (n_b/N) (accuracy_b − confidence_b)²; NaN in files of older versions.
        rms_debiased: `rms` without the variance of each bin's accuracy (Kumar et al. 2019), as
            `ExpectedCalibrationError(norm="l2", debias=True)`; at least 0.
        multi_label: Whether it is a curve of sigmoids: `confidence` is then the probability of the
            label 1, and `accuracy` how often the label is 1.
    """

    edges: tuple[float, ...]
    counts: tuple[float, ...]
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    accuracy_low: tuple[float, ...]
    accuracy_high: tuple[float, ...]
    ece: float
    ece_corrected: float
    ece_low: float
    ece_high: float
    level: float
    examples: int
    groups: int
    temperature: float | None = None
    rms: float = math.nan
    rms_debiased: float = math.nan
    multi_label: bool = False

    @property
    def overconfidence(self) -> float:
        """The part of the ECE where confidence is above accuracy, Σ_b (n_b/N) max(c_b − a_b, 0)."""
        return sum(max(gap, 0.0) for gap in self._gaps())

    @property
    def underconfidence(self) -> float:
        """The part where it is below. The ECE is the sum of both.

        Overconfidence minus underconfidence is mean confidence minus accuracy.
        """
        return sum(max(-gap, 0.0) for gap in self._gaps())

    def _gaps(self) -> list[float]:
        """Returns each bin's share of confidence − accuracy."""
        total = sum(self.counts)
        bins = zip(self.counts, self.confidence, self.accuracy, strict=True)
        return [n / total * (c - a) for n, c, a in bins if n]

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """Returns the curve as JSON, and writes it to `path` if given."""
        content = {"schema": _SCHEMA, **nan_to_none(dataclasses.asdict(self))}
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        if path is not None:
            Path(path).write_text(text)
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike) -> "ReliabilityCurve":
        """Returns the curve of a JSON text, or of a file.

        Raises:
            InputError: If it is not the JSON of a curve.
        """
        try:
            if isinstance(source, str) and source.lstrip().startswith("{"):
                data = source.encode()
            else:
                data = read_bytes(as_path(source, "source"), max_bytes=_MOST_BYTES)
            content = decode_record(data, dict[str, Any], "the text", schema=_SCHEMA)
            del content["schema"]
            return cls(**{name: _from_json(name, value) for name, value in content.items()})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                "Expected the JSON of a reliability curve, or the path of a readable file. "
                f"Received: {shown(str(source)[:60])} ({error})"
            ) from error

    def __eq__(self, other) -> bool:
        # NaN of empty bins is equal to itself here.
        return isinstance(other, ReliabilityCurve) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())


def _from_json(name: str, value):
    if isinstance(value, list):
        return tuple(math.nan if v is None else float(v) for v in value)
    return math.nan if value is None and name != "temperature" else value


def curve_of_statistics(
    top_confidence,
    correct,
    *,
    sample_weight=None,
    groups=None,
    num_bins: int = 15,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    temperature: float | None = None,
    multi_label: bool = False,
) -> ReliabilityCurve:
    """Returns the reliability curve for given confidence and correctness of each example.

    Args:
        top_confidence: Array `(N,)` in [0, 1]: the largest probability of each example.
        correct: Array `(N,)` of booleans or 0 and 1: whether its class was the target's.
        sample_weight: Array `(N,)` of non-negative weights, or `None`.
        groups: Integers `(N,)`: examples of one group are resampled together; `None`: all are
            independent.
        num_bins: Number of bins.
        confidence: Level of the intervals.
        resamples: Bootstrap resamples behind the interval of the ECE, 100 to 10,000.
        seed: Seed of the resampling.
        temperature: Stored for the legend of a diagram.
        multi_label: Stored for the axes of a diagram: whether `top_confidence` are probabilities of
            sigmoids and `correct` their labels.

    Raises:
        InputError: If the arrays have different lengths, if a value is out of range, or if no
            example counts.
    """
    num_bins = check_num_bins(num_bins)
    as_flag(multi_label, "multi_label")
    check_level(confidence)
    seed = as_seed(seed)
    if temperature is not None:
        temperature = as_number(temperature, "temperature", low=0, above=True)
    read = read_statistics(top_confidence, correct, sample_weight, groups)
    values, hits, weights, groups = read

    edges = equal_width_edges(num_bins)
    index = np.searchsorted(edges[1:-1], values, side="left")  # right-closed bins

    def over_bins(quantity):
        return np.bincount(index, quantity, num_bins)

    mass, squares = over_bins(weights), over_bins(weights**2)
    some = np.where(mass > 0, mass, np.nan)
    accuracy, mean = over_bins(weights * hits) / some, over_bins(weights * values) / some
    effective = mass**2 / np.where(mass > 0, squares, 1)
    lower, upper = binomial_intervals(accuracy, effective, confidence)
    gaps = read.gaps
    bins = Bins(mass, over_bins(gaps), over_bins(weights * hits), squares)
    corrected, interval = error_interval(
        gaps, weights, index, groups, num_bins, confidence, resamples, seed
    )
    return ReliabilityCurve(
        edges=tuple(edges.tolist()),
        counts=tuple(mass.tolist()),
        confidence=tuple(mean.tolist()),
        accuracy=tuple(accuracy.tolist()),
        accuracy_low=tuple(lower.tolist()),
        accuracy_high=tuple(upper.tolist()),
        ece=float(np.abs(over_bins(gaps)).sum() / weights.sum()),
        ece_corrected=corrected,
        ece_low=interval[0],
        ece_high=interval[1],
        level=confidence,
        examples=read.examples,
        groups=read.num_groups,
        temperature=temperature,
        multi_label=multi_label,
        rms=float(calibration_error(bins, norm="l2")),
        rms_debiased=float(calibration_error(bins, norm="l2", debias=True)),
    )

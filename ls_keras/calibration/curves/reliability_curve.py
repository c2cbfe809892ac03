"""The reliability curve as data, with JSON and CSV."""

import csv
import dataclasses
import io
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.records import decode_record
from ls_base.safe_open import read_bytes
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_path

_SCHEMA = 1
_MOST_BYTES = 1 << 26
_BINS = ("counts", "confidence", "accuracy", "accuracy_low", "accuracy_high")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReliabilityCurve(BriefRepr):
    """Accuracy against confidence over bins of confidence.

    Bins without examples hold NaN for confidence and accuracy (`null` in JSON, empty in CSV).

    Attributes:
        edges: B + 1 edges of the bins, left-open and right-closed.
        counts: B sums of the weights of each bin's examples; their number, without weights.
        confidence: B mean confidences.
        accuracy: B accuracies.
        accuracy_low: B lower ends of the Clopper–Pearson intervals of the accuracies.
        accuracy_high: B upper ends. The intervals take examples for independent (with weights:
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
        rms_debiased: The same without the variance of each bin's accuracy (Kumar et al. 2019), as
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

        Overconfidence less underconfidence is the mean confidence less the accuracy.
        """
        return sum(max(-gap, 0.0) for gap in self._gaps())

    def _gaps(self) -> list[float]:
        """Returns each bin's share of confidence − accuracy."""
        total = sum(self.counts)
        bins = zip(self.counts, self.confidence, self.accuracy, strict=True)
        return [n / total * (c - a) for n, c, a in bins if n]

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """Returns the curve as JSON, and writes it to `path` if given."""
        content = {"schema": _SCHEMA, **{k: _null(v) for k, v in dataclasses.asdict(self).items()}}
        return _written(json.dumps(content, indent=2, allow_nan=False) + "\n", path)

    @classmethod
    def from_json(cls, source: str | os.PathLike) -> "ReliabilityCurve":
        """Returns the curve of a JSON text, or of a file.

        Raises:
            InputError: If it is no such JSON.
        """
        text = _read(source, is_text=lambda text: text.lstrip().startswith("{"))
        try:
            content = decode_record(text.encode(), dict[str, Any], "the text", schema=_SCHEMA)
            del content["schema"]
            return cls(**{name: _nan(name, value) for name, value in content.items()})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"Expected the JSON of a reliability curve. Received: {text[:60]!r} ({error})"
            ) from error

    def to_csv(self, path: str | os.PathLike | None = None) -> str:
        """Returns the curve as CSV, one row a bin, and writes it to `path` if given.

        What belongs to the curve as a whole stands above the table in lines `# name=value`
        (`pandas.read_csv(path, comment="#")` skips them).
        """
        content = {k: _null(v) for k, v in dataclasses.asdict(self).items()}
        out = io.StringIO()
        for name, value in content.items():
            if not isinstance(value, list):
                out.write(f"# {name}={json.dumps(value)}\n")
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["edge_low", "edge_high", *_BINS])
        columns = [content[name] for name in _BINS]
        for low, high, *row in zip(self.edges[:-1], self.edges[1:], *columns, strict=True):
            table.writerow([low, high, *row])
        return _written(out.getvalue(), path)

    @classmethod
    def from_csv(cls, source: str | os.PathLike) -> "ReliabilityCurve":
        """Returns the curve of a CSV text that `to_csv` made, or of a file.

        Raises:
            InputError: If it is no such CSV.
        """
        text = _read(source, is_text=lambda text: "\n" in text)
        lines = text.splitlines()
        try:
            scalars = dict(line[2:].split("=", 1) for line in lines if line.startswith("# "))
            rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
            columns: dict[str, Any] = {
                name: [float(row[name] or "nan") for row in rows] for name in _BINS
            }
            columns["edges"] = [float(row["edge_low"]) for row in rows]
            columns["edges"].append(float(rows[-1]["edge_high"]))
            columns.update({name: json.loads(value) for name, value in scalars.items()})
            return cls(**{name: _nan(name, value) for name, value in columns.items()})
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, csv.Error) as error:
            raise InputError(
                f"Expected the CSV of a reliability curve. Received: {text[:60]!r} ({error})"
            ) from error

    def __eq__(self, other) -> bool:
        # NaN of empty bins is equal to itself here.
        return isinstance(other, ReliabilityCurve) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())


def binomial_intervals(
    rate: np.ndarray, number: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the Clopper–Pearson intervals of observed rates; NaN where `number` is 0.

    Args:
        rate: Observed rates in [0, 1].
        number: Number of trials behind each; need not be whole.
        level: Level of the intervals, such as 0.95.

    References:
        Clopper, Pearson, *The use of confidence or fiducial limits illustrated in the case of
        the binomial*, Biometrika 26 (1934).
    """
    from scipy import special  # imported late: it takes long

    tail = (1 - level) / 2
    hits, misses = rate * number, (1 - rate) * number
    with np.errstate(invalid="ignore"):
        low = np.where(hits > 0, special.betaincinv(hits, misses + 1, tail), 0.0)
        high = np.where(misses > 0, special.betaincinv(hits + 1, misses, 1 - tail), 1.0)
    some = number > 0
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def _null(value):
    if isinstance(value, tuple):
        return [_null(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _nan(name: str, value):
    if isinstance(value, list):
        return tuple(float("nan") if v is None else float(v) for v in value)
    return float("nan") if value is None and name != "temperature" else value


def _written(text: str, path: str | os.PathLike | None) -> str:
    if path is not None:
        Path(path).write_text(text)
    return text


def _read(source: str | os.PathLike, is_text) -> str:
    if isinstance(source, str) and is_text(source):
        return source
    path = as_path(source, "source")
    try:
        return read_bytes(path, max_bytes=_MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Expected the path of a readable file. Received: {shown(str(source))} ({error})"
        ) from error

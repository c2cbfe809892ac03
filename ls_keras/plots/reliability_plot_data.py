"""The numbers that a reliability diagram shows for a curve, or for several curves of one name."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from ls_base.errors import InputError
from ls_keras.calibration.curves.intervals import binomial_intervals
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve
from ls_keras.calibration.curves.smooth_reliability import SmoothReliability
from ls_keras.errors import shown
from ls_keras.plots.plot_inputs import check_strings

WIDE = 0.3  # bins with a wider 95 % interval are faded
Curves = ReliabilityCurve | Mapping[str, ReliabilityCurve | Sequence[ReliabilityCurve]]


@dataclasses.dataclass(frozen=True, eq=False)
class ReliabilitySeries:
    """The numbers of a drawn curve; bins without examples are NaN.

    Attributes:
        curves: One curve, or one for each seed.
        counts: B sums of weights over all curves.
        confidence: B mean confidences over the examples of all curves.
        accuracy: B accuracies over the examples of all curves.
        low: B lower ends of the Clopper–Pearson interval, or the smallest accuracies of several
            curves.
        high: B upper ends, or the largest accuracies.
        faded: B flags of bins with few examples, whose interval (for several curves, the mean
            width) is wider than `WIDE`.
    """

    curves: tuple[ReliabilityCurve, ...]
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    faded: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """B + 1 edges of the bins."""
        return np.asarray(self.curves[0].edges)

    @property
    def ece(self) -> float:
        """The ECE, or the mean over several curves."""
        return statistics.fmean(curve.ece for curve in self.curves)

    @property
    def temperature(self) -> float | None:
        """The temperature, or the mean over several curves, if all have one."""
        found = [curve.temperature for curve in self.curves]
        known = [t for t in found if t is not None]
        return statistics.fmean(known) if known and len(known) == len(found) else None


def as_reliability_series(curves: Curves) -> dict[str, ReliabilitySeries]:
    """Returns the series to draw by name; a single curve has the empty name.

    Raises:
        InputError: If there is no curve, an object is not a curve, a name is not a string, or the
            bins of curves of one name differ.
    """
    named = {"": curves} if isinstance(curves, ReliabilityCurve) else curves
    expected = "Expected a ReliabilityCurve, or a mapping of names to one or several. Received: "
    if not isinstance(named, Mapping) or not named:
        raise InputError(f"{expected}{shown(curves)}")
    check_strings(named)
    found = {}
    for name, value in named.items():
        several = (value,) if isinstance(value, ReliabilityCurve) else value
        if not isinstance(several, Sequence) or isinstance(several, str) or not several:
            raise InputError(f"{expected}{shown(value)} for {shown(name)}")
        for one in several:
            if not isinstance(one, ReliabilityCurve):
                raise InputError(f"{expected}{type(one).__name__} for {shown(name)}")
        if len({(one.edges, one.multi_label) for one in several}) > 1:
            raise InputError(
                "Expected curves of one name to have the same bins. "
                f"Received: different bins for {shown(name)}"
            )
        found[name] = _combine(tuple(several))
    return found


def is_faded(line: SmoothReliability) -> np.ndarray:
    """Returns which points of a smoothed curve have a 95 % interval wider than `WIDE`."""
    low, high = binomial_intervals(np.nan_to_num(line.accuracy), line.examples, 0.95)
    return ~(high - low <= WIDE)


def _combine(curves: tuple[ReliabilityCurve, ...]) -> ReliabilitySeries:
    counts, confidence, accuracy = (
        np.array([getattr(curve, name) for curve in curves], np.float64)
        for name in ("counts", "confidence", "accuracy")
    )
    total = counts.sum(0)
    widths = np.array([np.subtract(curve.accuracy_high, curve.accuracy_low) for curve in curves])
    some = total > 0
    share = np.where(some, counts / np.where(some, total, 1), 0)
    mean_confidence, mean_accuracy = (
        np.where(some, np.sum(share * np.nan_to_num(values), 0), math.nan)
        for values in (confidence, accuracy)
    )
    if len(curves) == 1:
        low, high = np.array([curves[0].accuracy_low, curves[0].accuracy_high])
    else:
        ends = np.where(counts > 0, accuracy, math.inf), np.where(counts > 0, accuracy, -math.inf)
        low, high = np.where(some, (ends[0].min(0), ends[1].max(0)), math.nan)
    faded = np.where(np.isnan(widths), 1.0, widths).mean(0) > WIDE
    return ReliabilitySeries(curves, total, mean_confidence, mean_accuracy, low, high, faded)

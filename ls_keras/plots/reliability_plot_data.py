"""The numbers that a reliability diagram shows for a curve, or for several curves of one name."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from ls_base.errors import InputError
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve, binomial_intervals
from ls_keras.errors import shown
from ls_keras.plots.plot_inputs import check_strings

WIDE = 0.3  # bins with a wider 95 % interval are faded
_LEVEL = 0.95
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
        levels: The different levels of these intervals in ascending order, usually 0.95. Curves of
            weighted examples only have an interval of their own level.
    """

    curves: tuple[ReliabilityCurve, ...]
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    faded: np.ndarray
    levels: tuple[float, ...]

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


def is_faded(accuracy: np.ndarray, examples: np.ndarray, level: float = _LEVEL) -> np.ndarray:
    """Returns which accuracies have intervals wider than `WIDE`.

    Args:
        accuracy: Accuracies, NaN without examples.
        examples: Number of examples of each.
        level: Level of the intervals. Default: 0.95.
    """
    low, high = binomial_intervals(np.nan_to_num(accuracy), examples, level)
    return ~(high - low <= WIDE)


def _level_and_widths(curve: ReliabilityCurve) -> tuple[float, np.ndarray]:
    """Returns a level, 0.95 if possible, and the width of the interval of each bin."""
    own = np.array([curve.accuracy_low, curve.accuracy_high])
    if curve.level == _LEVEL:
        return _LEVEL, own[1] - own[0]
    accuracy, counts = np.nan_to_num(curve.accuracy), np.array(curve.counts)
    # With weighted examples, counts are not numbers of examples.
    if not np.allclose(binomial_intervals(accuracy, counts, curve.level), own, equal_nan=True):
        return curve.level, own[1] - own[0]
    low, high = binomial_intervals(accuracy, counts, _LEVEL)
    return _LEVEL, high - low


def _combine(curves: tuple[ReliabilityCurve, ...]) -> ReliabilitySeries:
    counts, confidence, accuracy = (
        np.array([getattr(curve, name) for curve in curves], np.float64)
        for name in ("counts", "confidence", "accuracy")
    )
    total = counts.sum(0)
    found = [_level_and_widths(curve) for curve in curves]
    levels = tuple(sorted({level for level, _ in found}))
    widths = np.array([width for _, width in found])
    some = total > 0
    share = np.where(some, counts / np.where(some, total, 1), 0)
    mean_confidence, mean_accuracy = (
        np.where(some, np.sum(share * np.nan_to_num(values), 0), math.nan)
        for values in (confidence, accuracy)
    )
    if len(curves) == 1:
        low, high = np.array([curves[0].accuracy_low, curves[0].accuracy_high])
    else:
        low = np.where(some, np.min(np.where(counts > 0, accuracy, math.inf), 0), math.nan)
        high = np.where(some, np.max(np.where(counts > 0, accuracy, -math.inf), 0), math.nan)
    faded = np.where(np.isnan(widths), 1.0, widths).mean(0) > WIDE
    return ReliabilitySeries(
        curves, total, mean_confidence, mean_accuracy, low, high, faded, levels
    )

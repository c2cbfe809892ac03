"""What a reliability diagram shows of a curve, or of several of one setting."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from ls_base.errors import InputError
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve, binomial_intervals
from ls_keras.errors import shown
from ls_keras.plots.plot_inputs import check_words

WIDE = 0.3  # a 95 % interval so wide says little: what it is of is faded
_LEVEL = 0.95
Curves = ReliabilityCurve | Mapping[str, ReliabilityCurve | Sequence[ReliabilityCurve]]


@dataclasses.dataclass(frozen=True, eq=False)
class ShownReliability:
    """The numbers of a curve that is drawn, bins without examples as NaN.

    Attributes:
        curves: What it is made of: one curve, or one a seed.
        counts: B sums of weights, over all curves.
        confidence: B mean confidences, over the examples of all curves.
        accuracy: B accuracies, likewise.
        low: B lower ends: of one curve, of the Clopper–Pearson interval; of several, the least
            accuracy among them.
        high: B upper ends.
        faded: Whether a bin has so few examples that its accuracy is hardly known: the interval, of
            several curves the mean of theirs, is wider than `WIDE`.
        levels: Of which levels those intervals are, each once, rising: 0.95. Curves of weighted
            examples have no other interval than that of their own level.
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
        """The ECE; of several curves, the mean of theirs."""
        return statistics.fmean(curve.ece for curve in self.curves)

    @property
    def temperature(self) -> float | None:
        """The temperature, if all have one; of several curves, the mean of theirs."""
        found = [curve.temperature for curve in self.curves]
        known = [t for t in found if t is not None]
        return statistics.fmean(known) if known and len(known) == len(found) else None


def shown_by_name(curves: Curves) -> dict[str, ShownReliability]:
    """Returns what is drawn of curves by name; one curve alone has the empty name.

    Raises:
        InputError: If there is none, something that is none, or a name that is no word, or the bins
            of curves of one name differ.
    """
    named = {"": curves} if isinstance(curves, ReliabilityCurve) else curves
    expected = "Expected a ReliabilityCurve, or a mapping of names to one or several. Received: "
    if not isinstance(named, Mapping) or not named:
        raise InputError(f"{expected}{shown(curves)}")
    check_words(named)
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
                f"Received: others for {shown(name)}"
            )
        found[name] = _shown(tuple(several))
    return found


def is_faded(accuracy: np.ndarray, examples: np.ndarray, level: float = _LEVEL) -> np.ndarray:
    """Returns where so few examples say little about an accuracy.

    Args:
        accuracy: Accuracies, NaN where there are none.
        examples: How many examples are behind each.
        level: Of the intervals that are to be no wider than `WIDE`.
    """
    low, high = binomial_intervals(np.nan_to_num(accuracy), examples, level)
    return ~(high - low <= WIDE)


def _level_and_widths(curve: ReliabilityCurve) -> tuple[float, np.ndarray]:
    """Returns a level, 0.95 where that can be, and how wide each bin's interval of it is."""
    own = np.array([curve.accuracy_low, curve.accuracy_high])
    if curve.level == _LEVEL:
        return _LEVEL, own[1] - own[0]
    accuracy, counts = np.nan_to_num(curve.accuracy), np.array(curve.counts)
    # Of weighted examples, counts are not how many there are.
    if not np.allclose(binomial_intervals(accuracy, counts, curve.level), own, equal_nan=True):
        return curve.level, own[1] - own[0]
    low, high = binomial_intervals(accuracy, counts, _LEVEL)
    return _LEVEL, high - low


def _shown(curves: tuple[ReliabilityCurve, ...]) -> ShownReliability:
    counts, confidence, accuracy = (
        np.array([getattr(curve, name) for curve in curves], np.float64)
        for name in ("counts", "confidence", "accuracy")
    )
    total = counts.sum(0)
    found = [_level_and_widths(curve) for curve in curves]
    levels = tuple(sorted({level for level, _ in found}))
    widths = np.array([width for _, width in found])
    if len(curves) == 1:
        (curve,) = curves
        low, high = np.asarray(curve.accuracy_low), np.asarray(curve.accuracy_high)
        faded = ~(widths[0] <= WIDE)
        return ShownReliability(curves, total, confidence[0], accuracy[0], low, high, faded, levels)
    some = total > 0
    with np.errstate(invalid="ignore"):
        share = np.where(some, counts / np.where(some, total, 1), 0)
    mean_confidence, mean_accuracy = (
        np.where(some, np.sum(share * np.nan_to_num(values), 0), math.nan)
        for values in (confidence, accuracy)
    )
    low = np.where(some, np.min(np.where(counts > 0, accuracy, math.inf), 0), math.nan)
    high = np.where(some, np.max(np.where(counts > 0, accuracy, -math.inf), 0), math.nan)
    faded = np.where(np.isnan(widths), 1.0, widths).mean(0) > WIDE
    return ShownReliability(curves, total, mean_confidence, mean_accuracy, low, high, faded, levels)

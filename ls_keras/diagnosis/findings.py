"""The numbers of a diagnosis."""

import dataclasses
import math
from typing import Any, NamedTuple

from ls_base.brief_repr import BriefRepr
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve
from ls_keras.calibration.curves.smooth_error import SmoothError
from ls_keras.calibration.ranking.risk_coverage import RiskCoverage
from ls_keras.calibration.scaling.temperature import TemperatureFit

SCHEMA = 1


class Estimate(NamedTuple):
    """A value with its interval, whose ends are NaN with a single group.

    Attributes:
        value: The value.
        low: Lower end.
        high: Upper end.

    Example:
        >>> from ls_keras.diagnosis import Estimate
        >>> print(Estimate(0.0377, 0.031, 0.046))
        0.0377 [0.0310, 0.0460]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.value)} {self.interval}".rstrip()

    @property
    def interval(self) -> str:
        """The interval as text, empty if there is none."""
        if math.isnan(self.low):
            return ""
        return f"[{number(self.low)}, {number(self.high)}]"

    @property
    def above(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low > 0

    @property
    def below(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.high < 0


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Findings(BriefRepr):
    """The numbers of a diagnosis.

    "Held out" means that examples are scored with what was fitted or chosen on others, so that a
    gain is what new examples can expect.

    Attributes:
        num_examples: Examples that counted.
        num_groups: Number of groups, which are resampled and split into folds.
        num_classes: K.
        from_logits: Whether predictions were logits.
        level: Level of all intervals.
        folds: Number of folds of the cross-validation; 0 with a single group, for which all
            held-out numbers are NaN.
        class_names: Names of the K classes, or `None`.
        accuracy: Share of correct predictions.
        nll: Mean negative log-likelihood, nats.
        brier: Mean squared distance from the targets, in [0, 2].
        reliability: Accuracy against confidence, with the ECE: `ece` is the plug-in estimate, which
            is biased up; `ece_corrected` is bias-corrected, and the interval belongs to it.
        smooth: The smECE, with `error`, `corrected` and interval in the same way.
        bias: Mean confidence minus accuracy: above 0 if overconfident.
        fit: Temperature fit to the NLL of all examples.
        temperature: Its T with an interval.
        nll_gain: NLL minus held-out NLL with T: the calibration error of the NLL.
        brier_gain: Brier score minus held-out Brier score with T.
        scaled: Held-out reliability curve with T; `None` with a single group.
        risk_coverage: Risk against coverage, ranked by the largest softmax probability.
        aurc: Area under that curve.
        norm_p: Best p of logit normalization for all examples; `None` if there are logits of −inf.
        normalized: Risk against coverage, ranked by that confidence; `None` if `norm_p` is.
        aurc_gain: AURC minus held-out AURC with logit normalization, within folds, then averaged;
            NaN if `norm_p` is `None`.
        worst_class: The class whose own probability is worst calibrated, chosen on one half of the
            groups by ECE; with the held-out T where `temperature_helps`.
        worst_reliability: The reliability curve of its probability on the other half, likewise.
        least_class: The class with the lowest recall, chosen on the same half.
        least_recall: Its recall on the other half; NaN if it has no examples there.
    """

    num_examples: int
    num_groups: int
    num_classes: int
    from_logits: bool
    level: float
    folds: int
    class_names: tuple[str, ...] | None
    accuracy: Estimate
    nll: Estimate
    brier: Estimate
    reliability: ReliabilityCurve
    smooth: SmoothError
    bias: Estimate
    fit: TemperatureFit
    temperature: Estimate
    nll_gain: Estimate
    brier_gain: Estimate
    scaled: ReliabilityCurve | None
    risk_coverage: RiskCoverage
    aurc: Estimate
    norm_p: int | None
    normalized: RiskCoverage | None
    aurc_gain: Estimate
    worst_class: int
    worst_reliability: ReliabilityCurve
    least_class: int
    least_recall: Estimate

    @property
    def no_errors(self) -> bool:
        """Whether every prediction is right, so that the best temperature is 0."""
        return self.accuracy.value == 1

    @property
    def temperature_helps(self) -> bool:
        """Whether the temperature lowers the NLL of held-out examples, beyond its noise."""
        return self.nll_gain.above and not self.no_errors

    @property
    def ece(self) -> Estimate:
        """Bias-corrected ECE with its interval; `reliability.ece` is the plug-in estimate."""
        return corrected(self.reliability)

    @property
    def scaled_ece(self) -> Estimate:
        """Bias-corrected held-out ECE with T."""
        return UNKNOWN if self.scaled is None else corrected(self.scaled)

    @property
    def smooth_ece(self) -> Estimate:
        """Bias-corrected smECE with its interval; `smooth.error` is the plug-in estimate."""
        return Estimate(self.smooth.corrected, self.smooth.low, self.smooth.high)

    @property
    def worst_ece(self) -> Estimate:
        """Bias-corrected ECE of the probability of the worst class."""
        return corrected(self.worst_reliability)

    @property
    def ece_gain(self) -> Estimate:
        """Bias-corrected ECE minus that with T.

        Its interval combines the ends of both: it excludes 0 if they do not overlap, and is wider
        than necessary.
        """
        before, after = self.ece, self.scaled_ece
        return Estimate(
            before.value - after.value, before.low - after.high, before.high - after.low
        )

    def name_of(self, class_id: int) -> str:
        """Returns the quoted name of a class, or its id."""
        return str(class_id) if self.class_names is None else repr(self.class_names[class_id])

    def to_dict(self) -> dict[str, Any]:
        """Returns the numbers for JSON: an estimate as value, low and high, NaN and ∞ as `None`."""
        found = {
            "schema": SCHEMA,
            "num_examples": self.num_examples,
            "num_groups": self.num_groups,
            "num_classes": self.num_classes,
            "num_bins": len(self.reliability.counts),
            "from_logits": self.from_logits,
            "level": self.level,
            "folds": self.folds,
            "accuracy": self.accuracy,
            "nll": self.nll,
            "brier": self.brier,
            "ece": self.reliability.ece,
            "ece_corrected": self.ece,
            "smooth_ece": self.smooth.error,
            "smooth_ece_corrected": self.smooth_ece,
            "overconfidence": self.reliability.overconfidence,
            "underconfidence": self.reliability.underconfidence,
            "confidence_less_accuracy": self.bias,
            "temperature": self.temperature,
            "temperature_at_bound": self.fit.at_bound,
            "nll_gain": self.nll_gain,
            "brier_gain": self.brier_gain,
            "scaled_ece": None if self.scaled is None else self.scaled.ece,
            "scaled_ece_corrected": self.scaled_ece,
            "ece_gain": self.ece_gain,
            "aurc": self.aurc,
            "excess_aurc": self.risk_coverage.excess,
            "norm_p": self.norm_p,
            "aurc_gain": self.aurc_gain,
            "worst_class": self.worst_class,
            "worst_class_ece": self.worst_reliability.ece,
            "worst_class_ece_corrected": self.worst_ece,
            "least_recalled_class": self.least_class,
            "least_recall": self.least_recall,
            "class_names": None if self.class_names is None else list(self.class_names),
        }
        return {name: _for_json(value) for name, value in found.items()}


def corrected(curve: ReliabilityCurve) -> Estimate:
    """Returns the bias-corrected ECE of a curve with its interval."""
    return Estimate(curve.ece_corrected, curve.ece_low, curve.ece_high)


def number(value: float) -> str:
    """Formats a number with four decimals, fewer if it is large; NaN as a dash.

    Example:
        >>> from ls_keras.diagnosis.findings import number
        >>> number(0.03772), number(-1e-9), number(123.456), number(float("nan"))
        ('0.0377', '0.0000', '123.5', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"
    return "0.0000" if text == "-0.0000" else text.replace("-", "−")


def _for_json(value):
    if isinstance(value, Estimate):
        return {name: _for_json(part) for name, part in value._asdict().items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

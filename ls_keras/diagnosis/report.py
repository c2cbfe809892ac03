"""`Diagnosis`: the result of `diagnose`, with text, figure and files."""

import dataclasses
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ls_base.brief_repr import brief_repr
from ls_base.files import nan_to_none
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve
from ls_keras.calibration.curves.smooth_error import SmoothError
from ls_keras.calibration.ranking.risk_coverage import RiskCoverage
from ls_keras.calibration.scaling.temperature import TemperatureFit
from ls_keras.diagnosis.text import Estimate, give_advice, make_table
from ls_keras.plots import save, style
from ls_keras.plots.plot_inputs import check_title
from ls_keras.plots.reliability_diagram import reliability_diagram, reliability_rows
from ls_keras.plots.risk_coverage_diagram import risk_coverage_diagram, risk_coverage_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 1
_IN_JSON = (
    *("num_examples", "num_groups", "num_classes", "from_logits", "level", "folds"),
    *("accuracy", "nll", "brier", "temperature", "nll_gain", "brier_gain", "ece_gain"),
    *("aurc", "norm_p", "aurc_gain", "worst_class", "least_recall", "class_names"),
)


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Diagnosis:
    """Result of `diagnose`; it prints as a table followed by recommendations.

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
        worst_reliability: The reliability curve of its probability on the other half, with the same
            T.
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

    def __repr__(self) -> str:
        return brief_repr(
            self,
            num_examples=self.num_examples,
            num_classes=self.num_classes,
            accuracy=round(self.accuracy.value, 4),
            nll=round(self.nll.value, 4),
            ece=round(self.reliability.ece, 4),
            temperature=round(float(self.temperature.value), 4),
        )

    def __str__(self) -> str:
        return make_table(self)

    @property
    def advice(self) -> list[str]:
        """Recommendations: at most four sentences that follow from the intervals."""
        return give_advice(self)

    @property
    def temperature_helps(self) -> bool:
        """Whether a temperature lowers the NLL of held-out examples, beyond its noise.

        False if the best T is at a bound, because such a T means nothing for new examples.
        """
        return self.nll_gain.above and not self.fit.at_bound

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
        """Returns numbers and advice for JSON: an estimate as value, low and high, NaN as `None`.

        `ece` is the plug-in estimate, which is biased up; `ece_corrected` is bias-corrected, with
        its interval.
        """
        found = {name: getattr(self, name) for name in _IN_JSON} | {
            "schema": SCHEMA,
            "num_bins": len(self.reliability.counts),
            "ece": self.reliability.ece,
            "ece_corrected": self.ece,
            "smooth_ece": self.smooth.error,
            "smooth_ece_corrected": self.smooth_ece,
            "overconfidence": self.reliability.overconfidence,
            "underconfidence": self.reliability.underconfidence,
            "confidence_less_accuracy": self.bias,
            "temperature_at_bound": self.fit.at_bound,
            "scaled_ece": None if self.scaled is None else self.scaled.ece,
            "scaled_ece_corrected": self.scaled_ece,
            "excess_aurc": self.risk_coverage.excess,
            "worst_class_ece": self.worst_reliability.ece,
            "worst_class_ece_corrected": self.worst_ece,
            "least_recalled_class": self.least_class,
            "advice": self.advice,
        }
        return nan_to_none(
            {k: v._asdict() if isinstance(v, Estimate) else v for k, v in found.items()}
        )

    def plot(self, *, title: str | None = None) -> "Figure":
        """Draws accuracy against confidence, a confidence histogram, and risk against coverage.

        Args:
            title: Title of the figure, or `None`.

        Returns:
            The Matplotlib figure, which is not part of pyplot's state.

        Raises:
            InputError: If the title is not a string.
        """
        check_title(title)
        figure = style.new_figure(height=11.8)
        ax, counts_ax, risk_ax = figure.subplots(3, 1, height_ratios=(3.4, 1.0, 2.6))
        counts_ax.sharex(ax)
        ax.tick_params(labelbottom=False)
        reliability_diagram(self._curves(), ax=ax, counts_ax=counts_ax)
        risk_coverage_diagram(self._risks(), ax=risk_ax)
        if title:
            figure.suptitle(title)
        return figure

    def save(self, path: str | os.PathLike, *, title: str | None = None) -> list[Path]:
        """Writes the figure as PNG and SVG, and its numbers as JSON.

        Args:
            path: Path of the image, see `ls_keras.plots.save`.
            title: Title of the figure, or `None`.

        Returns:
            The paths written.

        Raises:
            InputError: If title or path are not valid.
        """
        numbers = {
            "reliability": reliability_rows(self._curves()),
            "risk_coverage": risk_coverage_rows(self._risks()),
        }
        return save(self.plot(title=title), path, numbers)

    def _curves(self) -> dict[str, ReliabilityCurve]:
        curves = {"as given": self.reliability}
        return curves if self.scaled is None else curves | {"scaled, held out": self.scaled}

    def _risks(self) -> dict[str, RiskCoverage]:
        risks = {"largest probability": self.risk_coverage}
        if self.normalized is not None:
            risks[f"logit norm, p = {self.norm_p}"] = self.normalized
        return risks


def corrected(curve: ReliabilityCurve) -> Estimate:
    """Returns the bias-corrected ECE of a curve with its interval."""
    return Estimate(curve.ece_corrected, curve.ece_low, curve.ece_high)

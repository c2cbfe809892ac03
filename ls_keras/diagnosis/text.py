"""Text of a diagnosis: a table 80 columns wide, and recommendations.

There are at most four recommendations; each follows from an interval that excludes 0.
"""

import math
import re
import textwrap
from typing import Any, NamedTuple

WIDTH = 80
_LABEL = 45
MIN_GROUPS = 30


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


def number(value: float) -> str:
    """Formats a number with four decimals, fewer if it is large; NaN as a dash.

    Example:
        >>> from ls_keras.diagnosis.text import number
        >>> number(0.03772), number(-1e-9), number(123.456), number(float("nan"))
        ('0.0377', '0.0000', '123.5', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"
    return "0.0000" if text == "-0.0000" else text.replace("-", "−")


def give_advice(found: Any) -> list[str]:
    """Returns sentences about temperature, remaining miscalibration, ranking and classes.

    With fewer than 30 independent examples, bootstrap intervals are too narrow to rely on, and
    the only sentence says so.
    """
    if found.num_groups < MIN_GROUPS:
        examples = f"independent example{'s' * (found.num_groups > 1)}"
        return [
            f"Too little data for advice: {found.num_groups} {examples}. Intervals and "
            f"recommendations need at least {MIN_GROUPS}; a few hundred are better."
        ]
    return [_temperature(found), _remainder(found), _ranking(found), _classes(found)]


def _temperature(found: Any) -> str:
    sign = "Neither over- nor underconfident on average"
    if found.bias.above:
        sign = "Overconfident"
    elif found.bias.below:
        sign = "Underconfident"
    if found.fit.at_bound:
        lower = found.fit.at_bound == "lower"
        why = "no prediction is wrong" if lower else "the predictions are no better than chance"
        return f"{sign}: {why}, so no temperature can be fitted to these examples."
    gain = found.nll_gain
    if not found.temperature_helps:
        # A negative gain is not reported as harm: fitting noise causes it wherever T is near 1.
        return (
            f"{sign}: no evidence that a temperature helps (T = {found.temperature}; held-out NLL "
            f"falls by {gain})."
        )
    what = "logits" if found.from_logits else "log-probabilities"
    ece = "the change in ECE may be zero"
    if found.ece_gain.above or found.ece_gain.below:
        verb = "falls" if found.ece_gain.above else "rises"
        ece = f"bias-corrected ECE {verb} from {number(found.ece.value)} to {found.scaled_ece}"
    return (
        f"{sign}: divide {what} by T = {found.fit.temperature:.2f}; held-out NLL falls by {gain} "
        f"and {ece}."
    )


def _remainder(found: Any) -> str:
    ece = found.scaled_ece if found.temperature_helps else found.ece
    state = "With T" if found.temperature_helps else "Without scaling"
    if ece.above:
        return (
            f"{state}, confidences are still off (bias-corrected ECE {ece}): try "
            "fit_matrix_scaling or fit_isotonic, fitted to other data than these."
        )
    return f"{state}, these examples show no miscalibration (bias-corrected ECE {ece})."


def _ranking(found: Any) -> str:
    gain = found.aurc_gain
    if found.norm_p is None:
        return f"Ranking: AURC {found.aurc}; logit normalization was not tried."
    if gain.above:
        return (
            f"Ranking: rank by logit_norm_confidence with p = {found.norm_p}; held-out AURC falls "
            f"by {gain}."
        )
    if gain.below:
        return (
            "Ranking: keep the largest probability; logit normalization would raise AURC by "
            f"{number(-gain.value)}."
        )
    return (
        f"Ranking: no difference between the largest probability and logit normalization ({gain})."
    )


def _classes(found: Any) -> str:
    name = f"class {found.name_of(found.worst_class)}"
    ece = found.worst_ece
    state = " with T" if found.temperature_helps else ""
    if not ece.above:
        return f"Classes{state}: none is clearly miscalibrated; the worst is {name} (ECE {ece})."
    curve = found.worst_reliability
    too = "high" if curve.overconfidence > curve.underconfidence else "low"
    return (
        f"Classes{state}: the probability of {name} is the worst calibrated, mostly too {too} "
        f"(bias-corrected ECE {ece}): try fit_vector_scaling."
    )


def make_table(found: Any) -> str:
    """Returns a table with one row per number of a `Diagnosis`, followed by recommendations."""
    counts = f"{found.num_examples:,} example{'s' * (found.num_examples > 1)}"
    if found.num_groups != found.num_examples:
        counts += f" in {found.num_groups:,} groups"
    head = f"{counts}, {found.num_classes:,} classes"
    lines = [_line(head, "value", f"{100 * found.level:g} % interval")]
    lines += [_line(*row) for row in _rows(found)]
    lines.append("")
    for sentence in give_advice(found):
        whole = re.sub(r"\[[^]]*]", lambda match: match[0].replace(" ", "\xa0"), sentence)
        wrapped = textwrap.wrap(whole, WIDTH, initial_indent="- ", subsequent_indent="  ")
        lines += [line.replace("\xa0", " ") for line in wrapped]
    return "\n".join(lines)


def _rows(found: Any) -> list[tuple[str, str, str]]:
    """Returns label, value and interval of each row."""
    bins = len(found.reliability.counts)
    held_out = f"held out, {found.folds} folds" if found.folds else "held out: one group only"
    worst, least = (_short(found.name_of(k)) for k in (found.worst_class, found.least_class))
    norm = "not tried" if found.norm_p is None else f"p = {found.norm_p}"
    half = "other half" if found.folds else "same examples"
    scaled = ", with T" if found.temperature_helps else ""
    bound = f", at its {found.fit.at_bound} bound" if found.fit.at_bound else ""
    return [
        _of("accuracy", found.accuracy),
        _of("NLL (nats)", found.nll),
        _of("Brier score", found.brier),
        ("ECE, " + f"{bins} bins, plug-in (biased up)", number(found.reliability.ece), ""),
        _of("  bias-corrected", found.ece),
        ("smECE, plug-in (biased up)", number(found.smooth.error), ""),
        _of("  bias-corrected", found.smooth_ece),
        _of("mean confidence − accuracy", found.bias),
        _of("temperature T" + bound, found.temperature),
        (f"with T ({held_out}):", "", ""),
        _of("  NLL falls by", found.nll_gain),
        _of("  Brier score falls by", found.brier_gain),
        _of("  bias-corrected ECE", found.scaled_ece),
        _of("AURC, ranked by largest probability", found.aurc),
        ("  E-AURC: a perfect ranking would save", number(found.risk_coverage.excess), ""),
        _of(f"  logit normalization ({norm}) saves", found.aurc_gain),
        (f"worst calibrated class, {worst} ({half}{scaled}):", "", ""),
        _of("  bias-corrected ECE of its probability", found.worst_ece),
        (f"least recognized class, {least} ({half}):", "", ""),
        _of("  share of its examples", found.least_recall),
    ]


def _of(label: str, estimate: Estimate) -> tuple[str, str, str]:
    return label, number(estimate.value), estimate.interval


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"


def _line(label: str, value: str, interval: str) -> str:
    return f"{label:{_LABEL}}{value:>10}  {interval}".rstrip()

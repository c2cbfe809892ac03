"""Recommendations in at most four sentences; each follows from an interval that excludes 0."""

from ls_keras.diagnosis.findings import Findings, number

MIN_GROUPS = 30


def give_advice(found: Findings) -> list[str]:
    """Returns sentences about temperature, remaining miscalibration, ranking and classes.

    With fewer than 30 independent examples, bootstrap intervals are too narrow to rely on, and
    the only sentence says so.
    """
    if 1 < found.num_groups < MIN_GROUPS:
        return [
            f"Too little data for advice: {found.num_groups} independent examples. Intervals and "
            f"recommendations need at least {MIN_GROUPS}; a few hundred are better."
        ]
    return [_temperature(found), _remainder(found), _ranking(found), _classes(found)]


def _temperature(found: Findings) -> str:
    sign = "Neither over- nor underconfident on average"
    if found.bias.above:
        sign = "Overconfident"
    elif found.bias.below:
        sign = "Underconfident"
    if not found.folds:
        return f"{sign} (a single group: no intervals, and no held-out gain of a temperature)."
    if found.no_errors:
        return f"{sign}: no prediction is wrong, so no temperature can be fitted to these examples."
    gain = found.nll_gain
    if not found.temperature_helps:
        # A negative gain is not reported as harm: fitting noise causes it wherever T is near 1.
        return (
            f"{sign}: no evidence that a temperature helps (T = {found.temperature}; held-out NLL "
            f"falls by {gain})."
        )
    what = "logits" if found.from_logits else "log-probabilities"
    end = {"lower": ", the smallest value tried", "upper": ", the largest value tried", None: ""}
    by = f"T = {found.fit.temperature:.2f}{end[found.fit.at_bound]}"
    ece = "the change in ECE may be zero"
    if found.ece_gain.above or found.ece_gain.below:
        verb = "falls" if found.ece_gain.above else "rises"
        ece = f"bias-corrected ECE {verb} from {number(found.ece.value)} to {found.scaled_ece}"
    return f"{sign}: divide {what} by {by}; held-out NLL falls by {gain} and {ece}."


def _remainder(found: Findings) -> str:
    ece = found.scaled_ece if found.temperature_helps else found.ece
    state = "With T" if found.temperature_helps else "Without scaling"
    if ece.above:
        return (
            f"{state}, confidences are still off (bias-corrected ECE {ece}): try "
            "fit_matrix_scaling or fit_isotonic, fitted to other data than these."
        )
    if not found.folds:
        return f"{state}, the ECE is {ece}."
    return f"{state}, these examples show no miscalibration (bias-corrected ECE {ece})."


def _ranking(found: Findings) -> str:
    gain = found.aurc_gain
    if found.norm_p is None or not found.folds:
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


def _classes(found: Findings) -> str:
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

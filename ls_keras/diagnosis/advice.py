"""What to do, in at most four sentences, from intervals: a difference that may be none is none."""

from ls_keras.diagnosis.findings import Findings, number


def advice(found: Findings) -> list[str]:
    """Returns the sentences: sign and temperature, what remains, ranking, classes."""
    return [_temperature(found), _remainder(found), _ranking(found), _classes(found)]


def helps(found: Findings) -> bool:
    """Returns whether a temperature is shown to lower the NLL of held-out examples."""
    return found.nll_gain.above


def _temperature(found: Findings) -> str:
    sign = "Neither over- nor underconfident on the whole"
    if found.bias.above:
        sign = "Overconfident"
    elif found.bias.below:
        sign = "Underconfident"
    if not found.folds:
        return f"{sign}, as far as one group tells: no gain can be held out, and no interval given."
    gain = found.nll_gain
    if found.fit.at_bound == "lower" and found.accuracy.value == 1:
        return f"{sign}: no prediction is wrong, so no temperature can be found on these examples."
    if helps(found):
        what = "logits" if found.from_logits else "log-probabilities"
        end = {"lower": ", the smallest tried", "upper": ", the largest tried", None: ""}
        by = f"T = {found.fit.temperature:.2f}{end[found.fit.at_bound]}"
        ece = "the change of ECE may be none"
        if found.ece_gain.above:
            ece = f"ECE less its bias falls from {number(found.ece.value)} to {found.scaled_ece}"
        elif found.ece_gain.below:
            ece = f"ECE less its bias rises from {number(found.ece.value)} to {found.scaled_ece}"
        return f"{sign}: divide {what} by {by}; held out, NLL falls by {gain} and {ece}."
    # A gain below 0 is no harm to tell of: near T = 1, folds have it from their own noise.
    return (
        f"{sign}: no temperature is shown to gain anything (T = {found.temperature}; held out, NLL "
        f"falls by {gain})."
    )


def _remainder(found: Findings) -> str:
    scaled = helps(found)
    ece = found.scaled_ece if scaled else found.ece
    state = "With T, " if scaled else "As they are, "
    if ece.above:
        return (
            f"{state}confidences are still off (ECE less its bias {ece}): try "
            "fit_matrix_scaling or fit_isotonic, on other data than these."
        )
    if not found.folds:
        return f"{state}confidences are off by {ece} (ECE)."
    return f"{state}no miscalibration is left that these examples show (ECE less its bias {ece})."


def _ranking(found: Findings) -> str:
    gain = found.aurc_gain
    if found.norm_p is None or not found.folds:
        return f"Ranking: AURC {found.aurc}; logit normalization was not tried."
    if gain.above:
        return (
            f"Ranking: rank by logit_norm_confidence with p = {found.norm_p}; held out, AURC falls "
            f"by {gain}."
        )
    if gain.below:
        return (
            "Ranking: stay with the largest probability; logit normalization would raise AURC by "
            f"{number(-gain.value)}."
        )
    return f"Ranking: no difference between largest probability and logit normalization ({gain})."


def _classes(found: Findings) -> str:
    name = f"class {found.name_of(found.worst_class)}"
    ece = found.worst_ece
    if not ece.above:
        return f"Classes: none is shown to be miscalibrated; the worst is {name} (ECE {ece})."
    curve = found.worst_reliability
    too = "high" if curve.overconfidence > curve.underconfidence else "low"
    return (
        f"Classes: the probability of {name} is the worst calibrated, mostly too {too} "
        f"(ECE less its bias {ece}): try fit_vector_scaling."
    )

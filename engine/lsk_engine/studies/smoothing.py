"""The study of label smoothing: the paper's claims as a table, and the conclusions in words."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lsk_engine.studies.claims import Claim
from lsk_engine.studies.distillation import STUDENT_SCORE
from lsk_engine.studies.measurements import BEST_SCORE
from lsk_engine.studies.settings_diff import heading
from lsk_engine.studies.study import ALPHA, SMOOTHING, Study
from lsk_engine.studies.study_result import SCORE, ClaimResult, Number

QUESTION = "Does label smoothing help?"
_ALPHAS = (0.05, 0.1, 0.2)
# A study's sentences are about the first six that it decides.
# Margins: half a point of a score from 0 to 100, a hundredth of an error or a probability.
CLAIMS = (
    Claim(
        "score",
        "Smoothing improves the task's score",
        SCORE,
        "better",
        0.5,
        source="Tables 1 and 2: BLEU 25.3 and 25.8, WER 8.9 and 6.7, CIFAR-100 72.1 and 72.7 %",
    ),
    Claim(
        "accuracy",
        "Smoothing improves the accuracy",
        "accuracy",
        "better",
        0.005,
        paper=0.006,
        source="Table 2: accuracy of ResNet-56 on CIFAR-100, 0.721 and 0.727",
    ),
    Claim(
        "calibration",
        "Smoothing improves calibration without a fitted temperature",
        "ece",
        "better",
        0.01,
        paper=-0.126,
        source="Table 3: ResNet-56 on CIFAR-100, 0.150 and 0.024",
    ),
    Claim(
        "against a fitted T",
        "Smoothing calibrates no worse than hard targets with temperature scaling",
        "ece",
        "no worse",
        0.01,
        against="ece_calibrated",
        paper=0.003,
        source="Table 3: ResNet-56 on CIFAR-100, 0.021 and 0.024",
    ),
    Claim(
        "beam search",
        "Smoothing at T = 1 scores no worse than hard targets at their best T",
        SCORE,
        "no worse",
        0.5,
        against=BEST_SCORE,
    ),
    Claim(
        "teaching",
        "Students of smoothed teachers are worse",
        STUDENT_SCORE,
        "worse",
        0.5,
        source="Section 4: errors of MNIST students, 0.74 and 0.91 %; Figure 5",
    ),
    Claim(
        "ranking",
        "Smoothing makes confidence rank errors worse",
        "auroc",
        "worse",
        0.01,
        source="Not in the paper: Xia et al. (2025), arXiv 2403.14715",
    ),
    Claim(
        "likelihood",
        "Smoothing reduces the likelihood of the labels",
        "nll",
        "worse",
        0.01,
        paper=0.052,
        source="Table 1: ln of the perplexities 4.67 and 4.92, Transformer on EN-DE",
    ),
    Claim(
        "representation",
        "Smoothing reduces the spread of activations within classes",
        "relative_spread",
        "better",
        0.01,
    ),
    Claim(
        "information",
        "Smoothing reduces the information of logits about examples",
        "mutual_information",
        "better",
        0.01,
    ),
)

# Claims about training losses, compared with the first one.
LOSS_CLAIMS = (
    Claim("score", "The loss improves the task's score", SCORE, "better", 0.5),
    Claim("accuracy", "The loss improves the accuracy", "accuracy", "better", 0.005),
    Claim("calibration", "The loss improves calibration", "ece", "better", 0.01),
    Claim("likelihood", "The loss improves the likelihood of the labels", "nll", "better", 0.01),
)


def smoothing_question(
    task: str,
    *,
    alphas: Sequence[float] | None = None,
    smoothings: Sequence[str] = ("uniform",),
    axes: Mapping[str, tuple[Any, ...]] | None = None,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> Study:
    """Returns the study of whether label smoothing helps.

    Args:
        task: Name of the task.
        alphas: Values of α that are compared with α = 0, which is added if it is missing; `None`:
            0.05, 0.1 and 0.2, or none if `axes` has others.
        smoothings: Distributions of the smoothing mass; an axis if there are several.
        axes: Values of other settings, such as `training.loss`, compared with the first of each.
        settings: Further settings of all runs.
        more: Further attributes of the study.

    Raises:
        InputError: As `Study`.

    Example:
    >>> smoothing_question("image", alphas=(0.2, 0.1)).axes
    {'training.alpha': (0.0, 0.1, 0.2)}
    """
    found: dict[str, tuple[Any, ...]] = dict(axes or {})
    if alphas is not None or not found:
        found[ALPHA] = tuple(sorted({0.0, *(_ALPHAS if alphas is None else alphas)}))
    settings = dict(settings or {})
    if len(smoothings) > 1:
        found[SMOOTHING] = tuple(smoothings)
    elif smoothings and SMOOTHING not in {*settings, *found}:
        settings[SMOOTHING] = smoothings[0]
    question = QUESTION if next(iter(found)) == ALPHA else f"Which {next(iter(found))} is best?"
    return Study(question=question, task=task, axes=found, settings=settings, **more)


def claims_for(
    numbers: Mapping[str, Number], claims: Sequence[Claim] = CLAIMS
) -> tuple[Claim, ...]:
    """Returns the claims that can be decided with the measured numbers.

    If a task does not declare whether less or more of its score is better, the accuracy is used.

    Args:
        numbers: What is measured, by name.
        claims: The claims to choose from.
    """

    def known(name: str) -> bool:
        return name in numbers and numbers[name].better is not None

    own = known(SCORE)
    return tuple(
        claim
        for claim in claims
        if known(claim.measure)
        and known(claim.against or claim.measure)
        and not (claim.measure == "accuracy" and own)
    )


def sentences_about(
    claims: Collection[ClaimResult], numbers: Mapping[str, Number], arm: Mapping[str, Any]
) -> list[str]:
    """Returns a sentence with verdict and evidence for each claim about an arm.

    Args:
        claims: Results of claims about one arm.
        numbers: What is measured, by name.
        arm: The arm's settings.
    """
    sentences = []
    for one in claims:
        measured = numbers[one.measure]
        label = measured.title
        if one.against is not None:
            label = f"{label} (against {numbers[one.against].label})"
        text = f"{one.statement}: {one.verdict}. At {heading(arm)}, {one.evidence(label)}"
        if one.verdict == "equivalent":
            text += f", within the margin of ±{one.margin:g}"
        elif one.reason:
            text += f"; {one.reason}"
        if one.seeds is not None:
            text += f"; about {one.seeds} seeds would detect a difference of this size"
        sentences.append(f"{text}.")
    return sentences


def advice(claims: Sequence[ClaimResult], arms: Mapping[str, Mapping[str, Any]], best: str) -> str:
    """Returns which α to use, by the claim about the score.

    Args:
        claims: All results of claims.
        arms: The arms' settings, by name.
        best: The arm with the best validation score among those with a better score; may be empty.
    """
    verdicts = [one.verdict for one in claims if one.name in ("score", "accuracy")]
    if best:
        return f"Use {heading(arms[best])}: its score is better, and it is best on validation."
    if verdicts and all(verdict in ("contradicted", "equivalent") for verdict in verdicts):
        return "Use hard targets: no α improves the score. A fitted temperature calibrates them."
    return "These runs do not show which α to use."

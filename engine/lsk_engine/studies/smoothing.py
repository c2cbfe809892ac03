"""Does smoothing help here? The claims of the paper as rows of one table, and what follows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lsk_engine.studies.claims import Claim
from lsk_engine.studies.distillation_measures import STUDENT_SCORE
from lsk_engine.studies.measurements import BEST_SCORE, SCORE, Number
from lsk_engine.studies.study import ALPHA, SMOOTHING, Study
from lsk_engine.studies.study_result import Decided, evidence_text
from lsk_engine.studies.text_tables import heading, of_split

QUESTION = "Does label smoothing help?"
_ALPHAS = (0.05, 0.1, 0.2)
# The first six that are decided make the sentences.
# Margins: half a point of a score of 0 … 100, a hundredth of an error or a probability.
CLAIMS = (
    Claim(
        "score",
        "Smoothing makes the task's score better",
        SCORE,
        "better",
        0.5,
        source="Tables 1 and 2: BLEU 25.3 and 25.8, WER 8.9 and 6.7, CIFAR-100 72.1 and 72.7 %",
    ),
    Claim(
        "accuracy",
        "Smoothing makes predictions right more often",
        "accuracy",
        "better",
        0.005,
        paper=0.006,
        source="Table 2: accuracy of ResNet-56 on CIFAR-100, 0.721 and 0.727",
    ),
    Claim(
        "calibration",
        "Smoothing calibrates a network without a fitted temperature",
        "ece",
        "better",
        0.01,
        paper=-0.126,
        source="Table 3: ResNet-56 on CIFAR-100, 0.150 and 0.024",
    ),
    Claim(
        "against a fitted T",
        "Smoothing calibrates no worse than temperature scaling of hard targets",
        "ece",
        "no worse",
        0.01,
        against="ece_calibrated",
        paper=0.003,
        source="Table 3: ResNet-56 on CIFAR-100, 0.021 and 0.024",
    ),
    Claim(
        "beam search",
        "Smoothed, at T = 1, scores no worse than hard targets at their best T",
        SCORE,
        "no worse",
        0.5,
        against=BEST_SCORE,
    ),
    Claim(
        "teaching",
        "Smoothed teachers teach worse",
        STUDENT_SCORE,
        "worse",
        0.5,
        source="Section 4: errors of MNIST's students, 0.74 and 0.91 %; Figure 5",
    ),
    Claim(
        "ranking",
        "Smoothing ranks errors worse",
        "auroc",
        "worse",
        0.01,
        source="Not of the paper: Xia et al. (2025), arXiv 2403.14715",
    ),
    Claim(
        "likelihood",
        "Smoothing makes the likelihood of the labels worse",
        "nll",
        "worse",
        0.01,
        paper=0.052,
        source="Table 1: ln of the perplexities 4.67 and 4.92, Transformer on EN-DE",
    ),
    Claim(
        "representation",
        "Smoothing draws the activations of a class together",
        "relative_spread",
        "better",
        0.01,
    ),
    Claim(
        "information",
        "Smoothing makes logits tell less of which example it was",
        "mutual_information",
        "better",
        0.01,
    ),
)

# What is decided about a training loss beside the first one.
LOSS_CLAIMS = (
    Claim("score", "The loss makes the task's score better", SCORE, "better", 0.5),
    Claim("accuracy", "The loss makes predictions right more often", "accuracy", "better", 0.005),
    Claim("calibration", "The loss calibrates better", "ece", "better", 0.01),
    Claim("likelihood", "The loss makes the labels more likely", "nll", "better", 0.01),
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
    """Returns the study that asks whether smoothing helps.

    Args:
        task: The task's name.
        alphas: What is compared with α = 0, which is added if it is not there; `None`: 0.05, 0.1
            and 0.2, or no such axis where `axes` has others.
        smoothings: What the mass follows; an axis if there are several.
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
    """Returns those of the claims that numbers can decide.

    Whether a task's own score is better when it is less or more, the task may leave open; then its
    accuracy stands for it.

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
    decided: Collection[Decided], numbers: Mapping[str, Number], arm: Mapping[str, Any]
) -> list[str]:
    """Returns a sentence for each of the decisions about an arm, with its evidence.

    Args:
        decided: Decisions about one arm.
        numbers: What is measured, by name.
        arm: The arm's settings.
    """
    found = []
    for one in decided:
        measured = numbers[one.claim.measure]
        label = of_split(measured.label, measured.split)
        if one.claim.against is not None:
            label = f"{label} − {numbers[one.claim.against].label}:"
        found.append(
            f"{one.claim.statement}: {one.decision.verdict}, at {heading(arm)} "
            f"({evidence_text(one, label)})."
        )
    return found


def advice(decided: Sequence[Decided], arms: Mapping[str, Mapping[str, Any]], best: str) -> str:
    """Returns which α to take, by the claim about the score.

    Args:
        decided: All decisions.
        arms: The arms' settings, by name.
        best: Of the arms with a better score, the one to take: it is the best on validation.
    """
    about = [one for one in decided if one.claim.name in ("score", "accuracy")]
    verdicts = [one.decision.verdict for one in about]
    if best:
        return f"Take {heading(arms[best])}: its score is better, and it does best on validation."
    if verdicts and all(v in ("does not hold", "no difference that matters") for v in verdicts):
        return "Take hard targets: no α has a better score. A fitted temperature calibrates them."
    return "Which α to take can't be told from these runs."

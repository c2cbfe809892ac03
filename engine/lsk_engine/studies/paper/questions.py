"""The studies behind the paper's results, with the differences that the paper reports."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lsk_engine.studies import distillation
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.smoothing import CLAIMS, smoothing_question
from lsk_engine.studies.study import ALPHA, TEACHER, TEACHER_ALPHA, TEACHER_TEMPERATURE, Study


def _claims(papers: Mapping[str, tuple[float | None, str]]) -> tuple[Claim, ...]:
    """Returns the claims about smoothing with these names, with difference and source."""
    by_name = {claim.name: claim for claim in CLAIMS}
    return tuple(
        dataclasses.replace(by_name[name], paper=paper, source=source)
        for name, (paper, source) in papers.items()
    )


REPRESENTATION = {"representation": (None, "Figure 1"), "information": (None, "Figure 6")}
ALEXNET = {"score": (0.1, "Table 2: errors of AlexNet on CIFAR-10, 13.2 and 13.3 %")}
RESNET = {
    "score": (-0.6, "Table 2: errors of ResNet-56 on CIFAR-100, 27.9 and 27.3 %"),
    "calibration": (-0.126, "Table 3: ResNet-56 on CIFAR-100, 0.150 and 0.024"),
    "against a fitted T": (0.003, "Table 3: ResNet-56 on CIFAR-100, 0.021 and 0.024"),
}
INCEPTION = {
    "score": (0.0, "Table 2: errors of Inception-v4 on ImageNet, 19.1 and 19.1 %"),
    "calibration": (-0.036, "Table 3: Inception-v4 on ImageNet, 0.071 and 0.035"),
    "against a fitted T": (0.013, "Table 3: Inception-v4 on ImageNet, 0.022 and 0.035"),
    "representation": (None, "Figure 1"),
}
_TEXT = {
    "score": (0.5, "Table 1: BLEU 25.3 and 25.8"),
    "likelihood": (0.052, "Table 1: ln of the perplexities 4.67 and 4.92"),
    "calibration": (-0.037, "Table 3: Transformer on EN-DE, 0.056 and 0.019"),
    "against a fitted T": (0.001, "Table 3: Transformer on EN-DE, 0.018 and 0.019"),
    "beam search": (None, "Figure 4"),
}
# The paper does not say which of its two smoothings had which of the two rates.
_SPEECH = {"score": (None, "Table 1: WER 8.9, and 7.0 and 6.7 with two kinds of smoothing")}
IMAGES = ("accuracy", "calibration", "representation", "information")


def smoothing(task: str, claims: Mapping[str, Any], **more: Any) -> Study:
    """Returns a study of α = 0.1 against hard targets, with claims of the paper.

    Args:
        task: Name of the task.
        claims: The paper's difference and its source, by the name of the claim.
        more: Further attributes of the study.
    """
    return smoothing_question(task, **{"alphas": (0.1,), "claims": _claims(claims), **more})


def speech(*further: str, **more: Any) -> Study:
    """Returns a study of the smoothings of Chorowski & Jaitly (2016), with Table 1's claim.

    Args:
        further: Further smoothings, in arms of their own.
        more: Further attributes of the study.
    """
    kinds = ("unigram", "neighborhood", *further)
    return smoothing("speech", _SPEECH, smoothings=kinds, measures=("accuracy",), **more)


def text(preset: str, **more: Any) -> Study:
    """Returns a study of translation, with the claims of Tables 1 and 3 and of Figure 4."""
    measures = ("accuracy", "calibration", "beam")
    return smoothing("translation", _TEXT, preset=preset, measures=measures, **more)


def mnist(
    margin: float,
    rates: tuple[float, float],
    rate: float,
    dropouts: tuple[float, float],
    temperatures: tuple[float, ...] = (1.0, 2.0, 3.0),
    **more: Any,
) -> Study:
    """Returns the study of MNIST: teachers, their students, and a network without teacher.

    The paper's students match squared logits; further students match probabilities at temperatures
    that show the similarity of classes. All learn from the labels, too.

    Args:
        margin: Differences in error that do not matter, in points.
        rates: Learning rates of the students that match logits of the hard and of the smoothed
            teacher. They differ because a smoothed teacher has smaller logits.
        rate: Learning rate of the others.
        dropouts: Dropout of the hard and of the smoothed teacher, chosen on validation.
        temperatures: Temperatures of the students that match probabilities.
        more: Further attributes of the study.
    """
    teacher = f"{TEACHER_ALPHA},{TEACHER}model.dropout"
    by_logits = f"{teacher},optimizer.learning_rate,distillation.loss"
    by_probabilities = f"{teacher},optimizer.learning_rate,{TEACHER_TEMPERATURE}"
    teachers = tuple(zip((0.0, 0.1), dropouts, strict=True))
    squared = zip(teachers, rates, strict=True)
    source = "Section 4: errors on MNIST, 0.67 and 0.59, students 0.74 and 0.91 %"
    claims = [
        dataclasses.replace(claim, margin=margin, axis=by_logits, paper=paper, source=source)
        for claim, paper in zip(distillation.CLAIMS, (-0.08, 0.17, 0.25), strict=True)
    ]
    soft = dataclasses.replace(distillation.CLAIMS[1], margin=margin, axis=by_probabilities)
    return Study(
        question="Are students of the better teacher worse?",
        task="image",
        axes={by_logits: tuple((*one, rate, "squared-logits") for one, rate in squared)},
        grids=(
            {ALPHA: (0.0,)},
            *({by_probabilities: tuple((*one, rate, t) for one in teachers)} for t in temperatures),
        ),
        measures=("accuracy", "teacher"),
        claims=(*claims, dataclasses.replace(soft, name="teaching at T")),
        cache=True,
        **more,
    )

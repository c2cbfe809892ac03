"""The paper's ten results and their claims: a table of data.

The studies are in the table of `lsk_engine.studies.paper.paper_studies`.
"""

import dataclasses
from collections.abc import Mapping

from lsk_engine.studies import distillation
from lsk_engine.studies.paper.paper_studies import STUDIES, Part, Scale


@dataclasses.dataclass(frozen=True)
class Result:
    """A table or figure of the paper.

    Attributes:
        name: Its name on the command line.
        title: Its topic.
        paper: The paper's numbers, as lines.
        studies: Names of the studies that reproduce it.
        claims: Names of the claims that belong to it.
        figure: The figure drawn from the first seed: `projection`, `reliability`, `temperature`,
            `information` or `distillation`; `None`: none.
    """

    name: str
    title: str
    paper: tuple[str, ...]
    studies: tuple[str, ...]
    claims: tuple[str, ...]
    figure: str | None = None

    def parts(self, scale: Scale) -> dict[str, Part]:
        """Returns its studies at a scale, by name."""
        return {
            name: part
            for name, part in STUDIES[scale].items()
            if name in self.studies and {c.name for c in part.study.claims or ()} & {*self.claims}
        }


_CALIBRATION = ("calibration", "against a fitted T")
RESULTS: Mapping[str, Result] = {
    result.name: result
    for result in (
        Result(
            "table1",
            "Smoothing improves three tasks",
            (
                "ImageNet, Inception-v2: top-1 error 23.1 → 22.8, top-5 error 6.3 → 6.1",
                "EN-DE, Transformer: BLEU 25.3 → 25.8, perplexity 4.67 → 4.92",
                "WSJ, BiLSTM with attention: WER 8.9 → 7.0 and 6.7 (two smoothings)",
            ),
            ("images", "imagenet", "text", "speech", "voices"),
            ("score", "likelihood"),
        ),
        Result(
            "table2",
            "Smoothing hardly changes image accuracy",
            (
                "CIFAR-10, AlexNet: 86.8 ± 0.2 → 86.7 ± 0.3 %",
                "CIFAR-100, ResNet-56: 72.1 ± 0.3 → 72.7 ± 0.3 %",
                "ImageNet, Inception-v4: 80.9 → 80.9 %",
            ),
            ("images", "residual", "imagenet"),
            ("score",),
        ),
        Result(
            "table3",
            "Smoothing calibrates as scaling does",
            (
                "CIFAR-100, ResNet-56: ECE 0.150; T = 1.9: 0.021; α = 0.05: 0.024",
                "ImageNet, Inception-v4: ECE 0.071; T = 1.4: 0.022; α = 0.1: 0.035",
                "EN-DE, Transformer: ECE 0.056; T = 1.13: 0.018; α = 0.1: 0.019",
            ),
            ("images", "residual", "imagenet", "text"),
            _CALIBRATION,
        ),
        Result(
            "figure1",
            "Projections: smoothing makes tight clusters",
            ("Projections of three classes: with smoothing, the corners of a triangle",),
            ("images", "residual", "imagenet"),
            ("representation",),
            "projection",
        ),
        Result(
            "figure2",
            "Reliability: images hard, scaled, smoothed",
            ("CIFAR-100, ImageNet: hard targets overconfident; scaled and smoothed calibrated",),
            ("images", "residual", "imagenet"),
            _CALIBRATION,
            "reliability",
        ),
        Result(
            "figure3",
            "Reliability: tokens hard, scaled, smoothed",
            ("EN-DE: hard targets overconfident; scaled and smoothed calibrated",),
            ("text",),
            _CALIBRATION,
            "reliability",
        ),
        Result(
            "figure4",
            "Beam search over T: T = 1 smoothed is best",
            ("EN-DE: hard targets reach the smoothed BLEU at no T, with the better NLL at all",),
            ("text",),
            ("beam search", "likelihood"),
            "temperature",
        ),
        Result(
            "figure5",
            "Students of smoothed teachers are worse",
            ("CIFAR-10: students of hard teachers beat smoothed ones, those of smoothed don't",),
            ("teachers",),
            tuple(claim.name for claim in distillation.CLAIMS),
            "distillation",
        ),
        Result(
            "figure6",
            "Smoothing reduces the information of logits",
            ("CIFAR-10: information rises, then falls to about log 2 = 0.69 with smoothing",),
            ("images", "residual", "probed"),
            ("information",),
            "information",
        ),
        Result(
            "mnist",
            "MNIST: a better teacher, a worse student",
            (
                "Test errors: teachers 0.67 (hard), 0.59 % (smoothed)",
                "their students 0.74 and 0.91 %",
            ),
            ("mnist",),
            (*(claim.name for claim in distillation.CLAIMS), "teaching at T"),
        ),
    )
}


def results_of(study: str, scale: Scale) -> list[Result]:
    """Returns the results that a study at a scale belongs to."""
    return [result for result in RESULTS.values() if study in result.parts(scale)]

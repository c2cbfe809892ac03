"""What is trained for the paper's results, at three scales: a table of data.

A study serves several results (`lsk_engine.studies.paper`): its runs are trained once.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from lsk_engine.studies import distillation
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.smoothing import CLAIMS, smoothing_question
from lsk_engine.studies.study import ALPHA, TEACHER_ALPHA, TEACHER_TEMPERATURE, Study

Scale = Literal["demo", "data", "paper"]
SCALES: Mapping[str, str] = {
    "demo": "data that come with the packages: minutes on 2 cores",
    "data": "real data sets below --data-dir, recipes shortened for processors: hours",
    "paper": "the paper's recipes, data by TFDS or below --data-dir: weeks of GPUs",
}


@dataclasses.dataclass(frozen=True)
class Part:
    """A study of a scale.

    Attributes:
        study: The study.
        minutes: What a seed takes on two cores (`paper`: on a GPU), estimated.
        data: Its data below the folder of data; `None`: the recipe's.
        classes: Whose templates make the plane of Figure 1.
    """

    study: Study
    minutes: float
    data: str | None = None
    classes: tuple[str, ...] = ()


def _claims(papers: Mapping[str, tuple[float | None, str]]) -> tuple[Claim, ...]:
    """Returns the claims about smoothing of these names, each with a difference and its source."""
    by_name = {claim.name: claim for claim in CLAIMS}
    return tuple(
        dataclasses.replace(by_name[name], paper=paper, source=source)
        for name, (paper, source) in papers.items()
    )


_LOOKED_INTO = {"representation": (None, "Figure 1"), "information": (None, "Figure 6")}
_ALEXNET = {"score": (0.1, "Table 2: errors of AlexNet on CIFAR-10, 13.2 and 13.3 %")}
_RESNET = {
    "score": (-0.6, "Table 2: errors of ResNet-56 on CIFAR-100, 27.9 and 27.3 %"),
    "calibration": (-0.126, "Table 3: ResNet-56 on CIFAR-100, 0.150 and 0.024"),
    "against a fitted T": (0.003, "Table 3: ResNet-56 on CIFAR-100, 0.021 and 0.024"),
}
_INCEPTION = {
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
_SPEECH = {"score": (-1.9, "Table 1: WER 8.9 and 7.0, or 6.7")}
_IMAGES = ("accuracy", "calibration", "representation", "information")


def _smoothing(task: str, claims: Mapping[str, Any], **more: Any) -> Study:
    return smoothing_question(task, **{"alphas": (0.1,), "claims": _claims(claims), **more})


def _speech(**more: Any) -> Study:
    """Returns a study of the smoothings of Chorowski & Jaitly (2016), with Table 1's claim."""
    kinds = ("unigram", "neighborhood")
    return _smoothing("speech", _SPEECH, smoothings=kinds, measures=("accuracy",), **more)


def _text(preset: str, **more: Any) -> Study:
    """Returns a study of translation, with the claims of Tables 1 and 3 and of Figure 4."""
    measures = ("accuracy", "calibration", "beam")
    return _smoothing("translation", _TEXT, preset=preset, measures=measures, **more)


def _taught(margin: float, papers: tuple[float, ...] = ()) -> tuple[Claim, ...]:
    """Returns the claims about teachers with a margin, and MNIST's differences."""
    found = [dataclasses.replace(claim, margin=margin) for claim in distillation.CLAIMS]
    source = "Section 4: errors on MNIST, 0.67 and 0.59, students 0.74 and 0.91 %"
    pairs = zip(found, papers, strict=True) if papers else ()
    return tuple(
        dataclasses.replace(claim, paper=paper, source=source) for claim, paper in pairs
    ) or tuple(found)


def _mnist(margin: float, rates: tuple[float, float], rate: float, **more: Any) -> Study:
    """Returns the study of MNIST: teachers, their students, a student alone.

    The paper's students learn from squared logits; others learn from probabilities, at temperatures
    that show how classes resemble each other. All learn from labels beside.

    Args:
        margin: Of differences in error that don't matter, in points.
        rates: Learning rates of the students by squared logits of the hard and of the smoothed
            teacher, which differ because the logits do: those of a smoothed teacher are smaller.
        rate: Learning rate of the others.
        more: Further attributes of the study.
    """
    by_logits = f"{TEACHER_ALPHA},optimizer.learning_rate,distillation.loss"
    by_probabilities = f"{TEACHER_ALPHA},optimizer.learning_rate,{TEACHER_TEMPERATURE}"
    claims = [
        dataclasses.replace(claim, axis=by_logits) for claim in _taught(margin, (-0.08, 0.17, 0.25))
    ]
    soft = dataclasses.replace(distillation.CLAIMS[1], margin=margin, axis=by_probabilities)
    return Study(
        question="Does the better teacher teach worse?",
        task="image",
        axes={
            by_logits: ((0.0, rates[0], "squared-logits"), (0.1, rates[1], "squared-logits")),
        },
        grids=(
            {ALPHA: (0.0,)},
            *({by_probabilities: ((0.0, rate, t), (0.1, rate, t))} for t in (1.0, 2.0, 3.0)),
        ),
        measures=("accuracy", "teacher"),
        claims=(*claims, dataclasses.replace(soft, name="teaching at T")),
        cache=True,
        **more,
    )


_BESIDE_LABELS = {"distillation.beta": 0.6}
_AIRPLANES = ("airplane", "automobile", "bird")
_SHORT_ALEXNET = {
    "training.steps": 6000,
    "training.checkpoint_every": 250,
    "training.checkpoints_kept_every": 250,
    "optimizer.momentum": 0.9,
    "optimizer.learning_rate": 0.03,
    "optimizer.schedule": "linear",
    "optimizer.boundaries": (),
    "optimizer.l2": 0.002,
}
_SHORT_RESNET = {
    "model.name": "resnet20",
    "training.steps": 2500,
    "optimizer.schedule": "cosine",
    "optimizer.boundaries": (),
}
_KEPT = {"training.checkpoint_every": 125, "training.checkpoints_kept_every": 125}
_FEW_DIGITS = {"data.shift": 0, "data.validation": 600}

STUDIES: Mapping[str, Mapping[str, Part]] = {
    "demo": {
        # So long that hard targets become too sure (T = 2), on digits that are hardly ever wrong:
        # smoothing makes them too modest. Where it calibrates is the few pairs of text.
        "images": Part(
            _smoothing(
                "image",
                {**_RESNET, **_ALEXNET, **_LOOKED_INTO},
                preset="digits-mlp",
                measures=_IMAGES,
                settings={
                    "training.epochs": 600,
                    "training.validate_every": 100,
                    "training.checkpoint_every": 950,
                    "training.checkpoints_kept_every": 950,
                },
            ),
            minutes=3,
            classes=("3", "8", "5"),
        ),
        "text": Part(
            _text("cldr-few"),
            minutes=8,
        ),
        "speech": Part(
            _speech(
                preset="spoken-words", settings={"data.utterances": 4000, "training.steps": 800}
            ),
            minutes=6,
        ),
        # A student of 100 of its teacher's 897 digits needs what a teacher knows beside the labels.
        "teachers": Part(
            distillation.distillation_study(
                "image",
                alphas=(0.0, 0.15, 0.3),
                temperatures=(1.0, 3.0, 5.0, 8.0),
                hard_temperature=5.0,
                seeds=10,
                preset="digits-mlp",
                settings={
                    **_FEW_DIGITS,
                    **{f"teacher.{key}": value for key, value in _FEW_DIGITS.items()},
                    "teacher.model.dropout": 0.3,
                    "data.examples": 100,
                    "model.layers": 1,
                    "model.width": 16,
                    "training.epochs": 250,
                    "training.batch_size": 25,
                    "training.validate_every": 50,
                    "optimizer.name": "adam",
                    "optimizer.learning_rate": 0.005,
                },
                cache=True,
                split="validation",
            ),
            minutes=2,
        ),
        "mnist": Part(
            _mnist(
                0.5,
                (0.01, 0.1),
                0.1,
                preset="digits-mlp",
                settings={
                    **_BESIDE_LABELS,
                    "data.shift": 0,
                    "model.width": 64,
                    "teacher.model.dropout": 0.1,
                },
            ),
            minutes=2,
        ),
    },
    "data": {
        "images": Part(
            _smoothing(
                "image",
                {**_RESNET, **_ALEXNET, **_LOOKED_INTO},
                preset="cifar10-alexnet",
                measures=_IMAGES,
                settings=_SHORT_ALEXNET,
            ),
            minutes=30,
            data="cifar10",
            classes=_AIRPLANES,
        ),
        "residual": Part(
            _smoothing(
                "image",
                {**_RESNET, **_LOOKED_INTO},
                preset="cifar10-resnet56",
                measures=_IMAGES,
                settings={**_SHORT_RESNET, **_KEPT},
            ),
            minutes=30,
            data="cifar10",
            classes=_AIRPLANES,
        ),
        "text": Part(
            _text("multi30k-cpu"),
            minutes=130,
            data="multi30k",
        ),
        "speech": Part(_speech(preset="an4-las"), minutes=50, data="an4_mfcc/an4_mfcc13.npz"),
        "voices": Part(_speech(preset="fsdd-digits"), minutes=7, data="fsdd"),
        "teachers": Part(
            distillation.distillation_study(
                "image",
                alphas=(0.0, 0.15, 0.3, 0.6),
                temperatures=(1.0, 2.0, 4.0, 8.0),
                seeds=3,
                preset="cifar10-alexnet",
                teacher_preset="cifar10-resnet56",
                settings={
                    **_SHORT_ALEXNET,
                    **{f"teacher.{key}": value for key, value in _SHORT_RESNET.items()},
                },
                split="validation",
            ),
            minutes=250,
            data="cifar10",
        ),
        "mnist": Part(
            _mnist(
                0.05,
                (0.01, 0.1),
                0.3,
                preset="mnist-mlp-student",
                teacher_preset="mnist-mlp-teacher",
                settings=_BESIDE_LABELS,
            ),
            minutes=20,
            data="mnist",
        ),
    },
    "paper": {
        "images": Part(
            _smoothing(
                "image",
                {**_ALEXNET, "representation": (None, "Figure 1")},
                preset="cifar10-alexnet",
                measures=("accuracy", "representation"),
                seeds=5,
            ),
            minutes=240,
            classes=_AIRPLANES,
        ),
        "residual": Part(
            _smoothing(
                "image",
                {**_RESNET, "representation": (None, "Figure 1")},
                alphas=(0.05, 0.1),
                preset="cifar100-resnet56",
                measures=_IMAGES[:3],
                seeds=5,
            ),
            minutes=360,
            classes=("beaver", "dolphin", "otter"),
        ),
        "probed": Part(
            _smoothing(
                "image",
                {"information": (None, "Figure 6")},
                preset="cifar10-resnet56",
                measures=("accuracy", "information"),
                settings={
                    "training.checkpoint_every": 4000,
                    "training.checkpoints_kept_every": 4000,
                },
            ),
            minutes=240,
        ),
        "imagenet": Part(
            _smoothing(
                "image",
                _INCEPTION,
                preset="imagenet-inception-v4",
                measures=_IMAGES[:3],
                seeds=1,
            ),
            minutes=20000,
            classes=("tench", "meerkat", "cleaver"),
        ),
        "text": Part(
            _text("wmt14-base", seeds=1),
            minutes=6000,
        ),
        "speech": Part(_speech(preset="wsj-las"), minutes=4000, data="wsj/manifest.tsv"),
        "teachers": Part(
            distillation.distillation_study(
                "image",
                preset="cifar10-alexnet",
                teacher_preset="cifar10-resnet56",
                split="validation",
            ),
            minutes=3000,
        ),
        "mnist": Part(
            _mnist(
                0.05,
                (0.01, 0.1),
                0.3,
                preset="mnist-mlp-student",
                teacher_preset="mnist-mlp-teacher",
                settings={**_BESIDE_LABELS, "training.epochs": 100, "teacher.training.epochs": 100},
                seeds=5,
            ),
            minutes=20,
        ),
    },
}

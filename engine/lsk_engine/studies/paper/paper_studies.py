"""The studies that reproduce the paper's results at three scales: a table of data.

A study may serve several results (`lsk_engine.studies.paper.results`); its runs are trained once.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from lsk_engine.studies import distillation
from lsk_engine.studies.paper import questions as ask
from lsk_engine.studies.study import Study

Scale = Literal["demo", "data", "paper"]
SCALES: Mapping[str, str] = {
    "demo": "data sets included in packages: minutes on 2 cores",
    "data": "real data sets in --data-dir, recipes shortened for CPUs: hours",
    "paper": "the paper's recipes, data from TFDS or --data-dir: weeks of GPUs",
}


@dataclasses.dataclass(frozen=True)
class Part:
    """A study at a scale.

    Attributes:
        study: The study.
        minutes: Estimated minutes per seed on two cores (`paper`: on a GPU).
        data: Its data inside the folder of data sets; `None`: the recipe's.
        classes: Classes whose templates span the plane of Figure 1.
    """

    study: Study
    minutes: float
    data: str | None = None
    classes: tuple[str, ...] = ()

    def cost(self, seeds: int | None = None) -> float:
        """Returns the minutes for a number of seeds; `None`: the study's."""
        return self.minutes * (seeds or self.study.seeds)


_BESIDE_LABELS = {"distillation.beta": 0.6}
_AIRPLANES = ("airplane", "automobile", "bird")
_SHORT_ALEXNET = {
    "training.steps": 6000,
    "training.checkpoint_every": 250,
    "training.keep_every": 250,
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
# Few enough images for a small network to fit them in 60 epochs, as the clusters of Figure 1 need.
_FITTED = {"data.max_train_examples": 10000, "training.steps": 4700}
_FEW_DIGITS = {"data.shift": 0, "data.validation": 600}

STUDIES: Mapping[str, Mapping[str, Part]] = {
    "demo": {
        # Long enough for hard targets to become overconfident (T = 2). The digits are so easy that
        # smoothing makes them underconfident; the study of text shows where it calibrates.
        "images": Part(
            ask.smoothing(
                "image",
                {**ask.RESNET, **ask.ALEXNET, **ask.REPRESENTATION},
                preset="digits-mlp",
                measures=ask.IMAGES,
                settings={
                    "training.epochs": 600,
                    "training.validate_every": 100,
                    "training.checkpoint_every": 950,
                    "training.keep_every": 950,
                },
            ),
            minutes=1,
            classes=("3", "8", "5"),
        ),
        "text": Part(
            ask.text("cldr-few"),
            minutes=2,
        ),
        "speech": Part(
            ask.speech(
                preset="spoken-words",
                settings={"data.max_train_examples": 4000, "training.steps": 800},
            ),
            minutes=15,
        ),
        # A student with 100 of its teacher's 897 digits needs more than their labels.
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
                    "data.max_train_examples": 100,
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
            ask.mnist(
                0.5,
                (0.01, 0.1),
                0.1,
                (0.1, 0.1),
                (2.0,),
                preset="digits-mlp",
                settings={
                    **_BESIDE_LABELS,
                    "data.shift": 0,
                    "model.width": 64,
                },
            ),
            minutes=1,
        ),
    },
    "data": {
        "images": Part(
            ask.smoothing(
                "image",
                {**ask.RESNET, **ask.ALEXNET, **ask.REPRESENTATION},
                preset="cifar10-alexnet",
                measures=ask.IMAGES,
                # With shifts and flips: Figure 6 measures information under random augmentation.
                settings={**_SHORT_ALEXNET, **_FITTED, "optimizer.l2": 0.0005},
            ),
            minutes=35,
            data="cifar10",
            classes=_AIRPLANES,
        ),
        "residual": Part(
            ask.smoothing(
                "image",
                {**ask.RESNET, "representation": (None, "Figure 1")},
                preset="cifar10-resnet56",
                measures=ask.IMAGES[:3],
                # Without augmentation, for a network of eight layers to fit them.
                settings={
                    **_SHORT_RESNET,
                    **_FITTED,
                    "model.name": "resnet8",
                    "data.shift": 0,
                    "data.flip": False,
                },
            ),
            minutes=20,
            data="cifar10",
            classes=_AIRPLANES,
        ),
        "text": Part(
            ask.text("multi30k-cpu"),
            minutes=35,
            data="multi30k",
        ),
        "speech": Part(
            ask.speech("uniform", preset="an4-las"),
            minutes=62,
            data="an4_mfcc/an4_mfcc13.npz",
        ),
        "voices": Part(ask.speech("uniform", preset="fsdd-digits"), minutes=14, data="fsdd"),
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
            ask.mnist(
                0.05,
                (0.01, 0.1),
                0.3,
                (0.1, 0.0),
                preset="mnist-mlp-student",
                teacher_preset="mnist-mlp-teacher",
                settings=_BESIDE_LABELS,
            ),
            minutes=30,
            data="mnist",
        ),
    },
    "paper": {
        "images": Part(
            ask.smoothing(
                "image",
                {**ask.ALEXNET, "representation": (None, "Figure 1")},
                preset="cifar10-alexnet",
                measures=("accuracy", "representation"),
                seeds=5,
            ),
            minutes=240,
            classes=_AIRPLANES,
        ),
        "residual": Part(
            ask.smoothing(
                "image",
                {**ask.RESNET, "representation": (None, "Figure 1")},
                alphas=(0.05, 0.1),
                preset="cifar100-resnet56",
                measures=ask.IMAGES[:3],
                seeds=5,
            ),
            minutes=360,
            classes=("beaver", "dolphin", "otter"),
        ),
        "probed": Part(
            ask.smoothing(
                "image",
                {"information": (None, "Figure 6")},
                preset="cifar10-resnet56",
                measures=("accuracy", "information"),
                settings={
                    "training.checkpoint_every": 4000,
                    "training.keep_every": 4000,
                },
            ),
            minutes=240,
        ),
        "imagenet": Part(
            ask.smoothing(
                "image",
                ask.INCEPTION,
                preset="imagenet-inception-v4",
                measures=ask.IMAGES[:3],
                seeds=1,
            ),
            minutes=20000,
            classes=("tench", "meerkat", "cleaver"),
        ),
        "text": Part(
            ask.text("wmt14-base", seeds=1),
            minutes=6000,
        ),
        "speech": Part(ask.speech(preset="wsj-las"), minutes=4000, data="wsj/manifest.tsv"),
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
            ask.mnist(
                0.05,
                (0.01, 0.1),
                0.3,
                (0.1, 0.0),
                preset="mnist-mlp-student",
                teacher_preset="mnist-mlp-teacher",
                settings={**_BESIDE_LABELS, "training.epochs": 100, "teacher.training.epochs": 100},
                seeds=5,
            ),
            minutes=20,
        ),
    },
}

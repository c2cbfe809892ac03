"""Defaults and presets of the image task."""

import dataclasses
from typing import Literal

from lsk_engine import InputError, Preset
from lsk_engine.settings.parsing import CountOrFraction, NonNegativeInt, PositiveInt, Rate

MODELS = {
    "mlp": "fully connected, ReLU, dropout: the MNIST networks of the paper",
    "alexnet": "2 convolutions, 3 dense layers: TensorFlow's CIFAR-10 tutorial network",
    "resnet56": "pre-activation residual network; resnetN for any depth N = 6n + 2",
    "inception_v3": "keras.applications.InceptionV3, without its auxiliary head",
    "inception_v4": "Inception-v4 (Szegedy et al. 2016), 42.7 million weights",
}
DATA_SOURCES = {
    "digits": "1,797 scans of handwritten digits, 8 × 8, from scikit-learn",
    "FOLDER": "class folders, MNIST's idx files, or train.npz and test.npz",
    "FILE.npz": "arrays x_train, y_train, x_test, y_test",
    "TFDS": "a TensorFlow Datasets name with images and labels, such as cifar10",
}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Images, their splits, and their random augmentation.

    Attributes:
        source: `digits`, a folder or file, or a TFDS name (`tfds:NAME` if a folder of that name
            exists).
        validation: Number of training images held out for validation, or their fraction if below
            1; `None`: the source's validation split, or one tenth.
        test: Number of images held out for testing if the source has no test split, or their
            fraction if below 1; `None`: one sixth.
        split_seed: Seed of the images that are held out, independent of `training.seed`.
        max_train_examples: Number of training images to use; `None`: all.
        size: Height and width that images are resized to (the shorter side is scaled, the center
            cut out); `None`: all images have one size already.
        channels: 1 (gray) or 3 (color), to convert images to; `None`: all have the same already.
        skip_unreadable: Whether to leave out pictures that cannot be decoded, instead of stopping
            with an error that names them; each picture is decoded once more at the start.
        shift: Largest random shift in training, in pixels in each direction; 0: none.
        flip: Whether to mirror images at random in training.
        random_resized_crop: Whether to train on random crops, as for Inception.
    """

    source: str = "digits"
    validation: CountOrFraction | None = None
    test: CountOrFraction | None = None
    split_seed: NonNegativeInt = 0
    max_train_examples: PositiveInt | None = None
    size: PositiveInt | None = None
    channels: Literal[1, 3] | None = None
    skip_unreadable: bool = False
    shift: NonNegativeInt = 0
    flip: bool = False
    random_resized_crop: bool = False


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        name: `mlp`, `alexnet`, `resnet56` (or `resnetN` of any depth N = 6n + 2),
            `inception_v3` or `inception_v4`.
        layers: Number of hidden layers (`mlp`).
        width: Units of each hidden layer (`mlp`).
        dropout: Dropout rate after hidden layers (`mlp`) or before `logits` (Inception).
        input_dropout: Dropout rate on pixels (`mlp`).
        normalization: `unit`: x/255; `symmetric`: x/127.5 − 1; `per_image`: each image gets mean
            0 and standard deviation 1.
    """

    name: str = "mlp"
    layers: PositiveInt = 2
    width: PositiveInt = 1200
    dropout: Rate = 0.0
    input_dropout: Rate = 0.0
    normalization: Literal["unit", "symmetric", "per_image"] = "unit"

    def __post_init__(self):
        if self.name not in MODELS and self.depth is None:
            raise InputError(
                f"Expected model.name to be one of {', '.join(MODELS)}, or resnetN with "
                f"N = 6n + 2, n ≥ 1. Received: {self.name!r}"
            )

    @property
    def unused(self) -> tuple[str, ...]:
        """The fields that this network does not use."""
        if self.name == "mlp":
            return ()
        own = ("layers", "width", "input_dropout")
        return own if self.name.startswith("inception") else (*own, "dropout")

    @property
    def depth(self) -> int | None:
        """The depth of a `resnetN`; `None` for other networks."""
        digits = self.name.removeprefix("resnet")
        if digits == self.name or not digits.isdecimal():
            return None
        return int(digits) if int(digits) >= 8 and int(digits) % 6 == 2 else None


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """Ranking of classes.

    Attributes:
        batch_size: Images per batch.
    """

    batch_size: PositiveInt = 500


_MNIST = {
    "data.source": "mnist",
    "data.validation": 5000,
    "training.batch_size": 256,
    "training.checkpoint_every": 5000,
    "training.validate_every": 5,
    "optimizer.name": "sgd",
    "optimizer.schedule": "linear",
    "optimizer.logits_lr_multiplier": 0.1,
}
_CIFAR = {
    "data.validation": 10000,
    "training.epochs": None,
    "training.batch_size": 128,
    "training.validate_every": 5,
    "training.checkpoint_every": 2000,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.1,
    "optimizer.schedule": "piecewise",
    "training.loss_weight": 3.0,
    "model.normalization": "per_image",
}
_CIFAR_RESNET = {
    **_CIFAR,
    "data.shift": 4,
    "data.flip": True,
    "model.name": "resnet56",
    "training.steps": 64000,
    "optimizer.boundaries": (32000, 48000),
    "optimizer.nesterov": True,
    "optimizer.l2": 1e-4,
    "optimizer.global_clipnorm": 1.0,
}
_PICTURES = {
    "data.shift": 4,
    "data.flip": True,
    "model.name": "resnet20",
    "model.normalization": "per_image",
    "optimizer.name": "sgd",
    "optimizer.schedule": "cosine",
    "optimizer.nesterov": True,
    "optimizer.l2": 1e-4,
    "optimizer.global_clipnorm": 1.0,
}
_IMAGENET = {
    "data.source": "imagenet2012",
    "data.validation": 10000,
    "data.size": 299,
    "data.channels": 3,
    "data.random_resized_crop": True,
    "data.flip": True,
    "model.dropout": 0.2,
    "model.normalization": "symmetric",
    "training.epochs": 120,
    "training.precision": "mixed_bfloat16",
    "training.jit_compile": True,
    "training.checkpoint_every": 5000,
    "decoding.batch_size": 100,
    "optimizer.name": "sgd",
    "optimizer.schedule": "cosine",
    "optimizer.nesterov": True,
    "optimizer.ema_momentum": 0.9999,
}

PRESETS = (
    Preset(
        name="digits-mlp",
        purpose="The default: a small perceptron on scikit-learn's 8 × 8 digits",
        expected="30 seconds on 2 cores; test error 1 to 3 %",
        settings={
            "data.validation": 300,
            "data.test": 300,
            "data.shift": 1,
            "model.width": 256,
            "training.epochs": 60,
            "training.batch_size": 64,
            "training.validate_every": 10,
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 0.1,
            "optimizer.schedule": "linear",
        },
    ),
    Preset(
        name="few-pictures",
        purpose="Your own pictures (--data FOLDER), fewer than 5,000: ResNet-20, shifts and flips",
        expected="minutes to an hour on 2 cores, depending on their number and size",
        settings={
            **_PICTURES,
            "training.epochs": 60,
            "training.batch_size": 32,
            "training.validate_every": 5,
            "optimizer.learning_rate": 0.05,
        },
    ),
    Preset(
        name="many-pictures",
        purpose="Your own pictures (--data FOLDER), 5,000 or more: ResNet-20, 30 epochs",
        expected="hours on 2 cores, minutes on a GPU",
        settings={
            **_PICTURES,
            "training.epochs": 30,
            "optimizer.learning_rate": 0.1,
            "optimizer.warmup_steps": 100,
        },
    ),
    Preset(
        name="gray-pictures",
        purpose="Your own gray pictures (--data FOLDER) of up to 32 × 32: a perceptron, shifts",
        expected="minutes on 2 cores",
        settings={
            "data.shift": 1,
            "model.width": 800,
            "model.dropout": 0.1,
            "training.epochs": 30,
            "training.batch_size": 64,
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 0.1,
            "optimizer.schedule": "linear",
        },
    ),
    Preset(
        name="mnist-mlp-teacher",
        purpose="The paper's MNIST teacher, 2 × 1200: --data FOLDER with the idx files, or TFDS",
        expected="5 to 10 minutes on one core; test error 0.8 %",
        settings={
            **_MNIST,
            "data.shift": 2,
            "model.dropout": 0.1,
            "training.epochs": 25,
            "optimizer.learning_rate": 0.3,
        },
    ),
    Preset(
        name="mnist-mlp-student",
        purpose="The paper's MNIST student, 2 × 800, without a teacher, shifts or dropout",
        expected="1 to 2 minutes on one core; test error 1.6 %, with lsk distill 1.2 to 1.5 %",
        settings={
            **_MNIST,
            "model.width": 800,
            "training.epochs": 15,
            "optimizer.learning_rate": 0.3,
        },
    ),
    Preset(
        name="cifar10-alexnet",
        purpose="The paper's AlexNet on CIFAR-10 (Table 2): 390,000 steps of plain SGD",
        expected="hours on one GPU; the paper: accuracy 86.8 % on 10,000 validation images",
        settings={
            **_CIFAR,
            "data.source": "cifar10",
            "data.shift": 4,
            "data.flip": True,
            "model.name": "alexnet",
            "training.steps": 390000,
            "optimizer.momentum": 0.0,
            "optimizer.boundaries": (130000, 260000),
            "optimizer.l2": 0.04,
            "optimizer.l2_layers": ("dense_384", "dense_192"),
        },
    ),
    Preset(
        name="cifar10-resnet56",
        purpose="The paper's ResNet-56 on CIFAR-10: its teacher in distillation, Figure 6",
        expected="hours on one GPU",
        settings={**_CIFAR_RESNET, "data.source": "cifar10"},
    ),
    Preset(
        name="cifar100-resnet56",
        purpose="The paper's ResNet-56 on CIFAR-100 (Tables 2 and 3, Figure 2)",
        expected="hours on one GPU; the paper: accuracy 72.1 % (α = 0.1: 72.7), ECE 0.150",
        settings={**_CIFAR_RESNET, "data.source": "cifar100"},
    ),
    Preset(
        name="imagenet-inception-v3",
        purpose="Inception-v3 on ImageNet; the paper's Table 1 has an earlier version",
        expected="days on several GPUs; not run to the end",
        settings={
            **_IMAGENET,
            "model.name": "inception_v3",
            "training.batch_size": 1024,
            "optimizer.learning_rate": 0.4,
            "optimizer.warmup_steps": 6000,
            "optimizer.l2": 4e-5,
        },
    ),
    Preset(
        name="imagenet-inception-v4",
        purpose="The paper's Inception-v4 on ImageNet (Tables 2 and 3): batch 4096",
        expected="days on many accelerators; the paper: top-1 80.9 %; not run to the end",
        settings={
            **_IMAGENET,
            "model.name": "inception_v4",
            "training.batch_size": 4096,
            "optimizer.learning_rate": 1.6,
            "optimizer.warmup_steps": 1500,
            "optimizer.l2": 8e-5,
        },
    ),
)

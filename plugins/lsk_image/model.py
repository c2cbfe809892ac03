"""Builds the network of a configuration: augmentation, normalization, network, `logits`."""

import keras
from keras import ops

from lsk_engine import Config, InputError, TaskData
from lsk_image.augmentation import Augmentation, per_image_standardization
from lsk_image.config import ModelConfig
from lsk_image.inception_v4 import inception_v3, inception_v4
from lsk_image.networks import alexnet, mlp, resnet

INCEPTION_LEAST = 75  # pixels a side; the last stages of smaller images would be empty


def build_classifier(config: Config, data: TaskData) -> keras.Model:
    """Builds the model `{image} → logits` that `config` describes.

    Args:
        config: The resolved configuration.
        data: Loaded data, whose images determine the shape.

    Returns:
        A functional model. `image` is uint8 `(batch, height, width, channels)`; the logits are
        float32 `(batch, K)`.
    """
    shape = data.splits["train"].shape  # type: ignore[attr-defined]
    image = keras.Input(shape, dtype="uint8", name="image")
    augment = build_augmentation(config)
    x = image if augment is None else augment(image)
    x = normalized(x, config.model.normalization)
    logits = _network(x, config.model, data.num_classes, config.training.seed)
    return keras.Model({"image": image}, logits, name=config.model.name)


def build_augmentation(config: Config) -> Augmentation | None:
    """Builds the augmentation layer of a configuration; `None` if nothing is augmented."""
    options = config.data
    if not (options.shift or options.flip or options.random_resized_crop):
        return None
    return Augmentation(
        shift=options.shift,
        flip=options.flip,
        random_resized_crop=options.random_resized_crop,
        seed=config.training.seed,
        name="augmentation",
    )


def normalized(images, normalization: str):
    """Scales pixel values 0 … 255 to the range that a network expects.

    Args:
        images: Tensor `(batch, height, width, channels)`.
        normalization: See `ModelConfig`.

    Returns:
        A float32 tensor of the same shape.
    """
    if normalization == "per_image":
        return per_image_standardization(images)
    x = ops.cast(images, "float32")
    return x / 127.5 - 1.0 if normalization == "symmetric" else x / 255.0


def _network(x, config: ModelConfig, num_classes: int, seed: int):
    if config.name == "mlp":
        return mlp(
            x,
            num_classes,
            layers=config.layers,
            width=config.width,
            dropout=config.dropout,
            input_dropout=config.input_dropout,
            seed=seed,
        )
    if config.name == "alexnet":
        return alexnet(x, num_classes)
    if config.depth is not None:
        return resnet(x, num_classes, depth=config.depth)
    if min(x.shape[1:3]) < INCEPTION_LEAST:
        raise InputError(
            f"Expected images of at least {INCEPTION_LEAST} × {INCEPTION_LEAST} for {config.name}; "
            f"data.size=299 enlarges them. Received: {x.shape[1]} × {x.shape[2]}"
        )
    inception = inception_v3 if config.name == "inception_v3" else inception_v4
    return inception(x, num_classes, dropout=config.dropout, seed=seed)

"""The training loss of a configuration, from the registry of `ls_keras.losses`."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras

from ls_base.errors import InputError, suggest
from ls_keras import losses
from ls_keras.losses import Neighborhood, Prior, SmoothedBCE, Smoothing, Uniform, Unigram
from ls_keras.losses.classification_loss import ClassificationLoss
from lsk_engine.settings.config import Config
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.tasks.contract import TaskData

# Arguments that follow from the task or from other settings: no options of a loss.
_NOT_OPTIONS = {
    *("alpha", "smoothing", "from_logits", "ignore_class"),
    *("axis", "reduction", "name", "dtype"),
}


def build_loss(
    config: Config, data: TaskData, reduction: str = "sum_over_batch_size"
) -> ClassificationLoss:
    """Returns the training loss, of logits `(..., K)` and integer labels `(...)`.

    Args:
        config: The configuration.
        data: The data, with the label of padding and the counts of the classes.
        reduction: As in Keras.

    Raises:
        InputError: As `check_loss`.
    """
    options = config.training
    check_loss(options)
    arguments: dict[str, Any] = dict(options.loss_options)
    if "alpha" in loss_parameters(options.loss):
        arguments["alpha"] = options.alpha
    if "smoothing" in loss_parameters(options.loss):
        arguments["smoothing"] = build_smoothing(
            options, data.unused_classes, lambda: data.class_counts
        )
    return losses.get(
        options.loss,
        **arguments,
        from_logits=True,
        ignore_class=data.ignore_class,
        reduction=reduction,
    )


def check_loss(options: TrainingConfig) -> None:
    """Refuses a loss that does not exist, does not fit, or does not take the options.

    Args:
        options: The settings of training.

    Raises:
        InputError: In one line, with near matches of names.
    """
    known = loss_parameters(options.loss) - _NOT_OPTIONS
    for name in options.loss_options:
        if name not in known:
            hint = suggest(name, known) if known else "It has none."
            raise InputError(f"Expected an option of the loss {options.loss}. {hint}")
    losses.get(options.loss, **options.loss_options)  # checks the values


def loss_parameters(name: str) -> set[str]:
    """Returns the names of the arguments of a loss's class.

    Args:
        name: Its name in `ls_keras.losses.get`.

    Raises:
        InputError: If there is no such loss, or it is not for models with logits over classes.
    """
    found = losses.get(name)
    if isinstance(found, SmoothedBCE):
        raise InputError(
            f"Expected a loss for models with a softmax over classes. Received: {name!r}, which "
            "needs sigmoid outputs; train such a model with keras.Model.compile"
        )
    if not isinstance(found, keras.losses.Loss):
        raise InputError(f"Expected training.loss to be a loss. Received: {name!r}")
    return set(inspect.signature(type(found)).parameters)


def build_smoothing(
    options: TrainingConfig, unused_classes: Sequence[int], class_counts: Callable[[], Any]
) -> Smoothing:
    """Returns the distribution of the smoothing mass α.

    Args:
        options: The settings of training.
        unused_classes: Classes that are never labels.
        class_counts: Returns how often each class is a training label; called only if needed.
    """
    exclude = () if options.smooth_unused_classes else unused_classes
    if options.smoothing == "unigram":
        return Unigram(class_counts(), exclude=exclude)
    if options.smoothing == "uniform":
        return Uniform(exclude=exclude)
    if options.smoothing == "prior":
        return Prior(options.prior)
    return Neighborhood()

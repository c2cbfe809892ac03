"""The loss that a configuration asks for."""

from collections.abc import Callable, Sequence
from typing import Any

from ls_keras.losses import Neighborhood, SmoothedCE, Smoothing, Uniform, Unigram
from lsk_engine.settings.config import Config
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.tasks.contract import TaskData


def build_loss(config: Config, data: TaskData, reduction: str = "sum_over_batch_size"):
    """Returns the smoothed cross-entropy that `config` asks for."""
    options = config.training
    return SmoothedCE(
        options.alpha,
        smoothing=build_smoothing(options, data.unused_classes, lambda: data.class_counts),
        from_logits=True,
        ignore_class=data.ignore_class,
        reduction=reduction,
    )


def build_smoothing(
    options: TrainingConfig, unused_classes: Sequence[int], class_counts: Callable[[], Any]
) -> Smoothing:
    """Returns the distribution that the mass α follows.

    Args:
        options: What training was told.
        unused_classes: Classes that never are labels.
        class_counts: Returns how often each class is a training label; asked only if it matters.
    """
    exclude = () if options.smooth_unused_classes else unused_classes
    if options.smoothing == "unigram":
        return Unigram(class_counts(), exclude=exclude)
    if options.smoothing == "uniform":
        return Uniform(exclude=exclude)
    return Neighborhood()

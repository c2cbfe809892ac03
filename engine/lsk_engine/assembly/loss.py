"""The loss that a configuration asks for."""

from typing import Any

from ls_keras.losses import SmoothedCE, Uniform, Unigram
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import TaskData


def build_loss(config: Config, data: TaskData, reduction: str = "sum_over_batch_size"):
    """Returns the smoothed cross-entropy that `config` asks for."""
    options = config.training
    exclude = () if options.smooth_unused else data.unused_classes
    if options.smoothing == "unigram":
        distribution: Any = Unigram(data.class_counts, exclude=exclude)
    elif options.smoothing == "uniform":
        distribution = Uniform(exclude=exclude)
    else:
        distribution = options.smoothing
    return SmoothedCE(
        options.alpha,
        smoothing=distribution,
        from_logits=True,
        ignore_class=data.ignore_class,
        reduction=reduction,
    )

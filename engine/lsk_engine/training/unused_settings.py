"""Settings of a run that have no effect, reported before it trains."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from lsk_engine.settings.config import Config
from lsk_engine.settings.training import DEFAULT_LOSS
from lsk_engine.tasks.contract import Task

# The optimizers that use these settings.
_OPTIMIZERS = {
    "momentum": ("sgd",),
    "nesterov": ("sgd",),
    "beta_2": ("adam", "adamw"),
    "epsilon": ("adam", "adamw"),
}


def unused_in_any(task: Task, configs: Iterable[Config]) -> list[str]:
    """Returns the settings without effect in several configurations, without duplicates.

    Args:
        task: Their task.
        configs: The configurations. If epochs determine the length of a run, the number of steps
            is unknown, and the run counts as long.
    """
    said = (
        text
        for config in configs
        for text in unused_settings(task, config, config.training.steps or math.inf)
    )
    return list(dict.fromkeys(said))


def unused_settings(task: Task, config: Config, total: float) -> list[str]:
    """Returns a sentence for each setting of a configuration that has no effect.

    These are settings of a preset that the chosen model, optimizer or loss does not use, and
    checkpoints to be kept that are never saved.

    Args:
        task: The task.
        config: The configuration.
        total: The steps of the run.
    """
    said = [
        _nothing(f"model.{key}", config.model, key, f"model.name={config.model.name}", config)
        for key in task.unused_by_model(config)
        if _is_set(config.model, key)
    ]
    optimizer = config.optimizer
    said += [
        _nothing(f"optimizer.{key}", optimizer, key, f"optimizer.name={optimizer.name}", config)
        for key, names in _OPTIMIZERS.items()
        if optimizer.name not in names and _is_set(optimizer, key)
    ]
    return said + _loss(config) + _checkpoints(config, total)


def _nothing(name: str, part: Any, key: str, beside: str, config: Config) -> str:
    return f"{name}={getattr(part, key)} has no effect with {beside} (preset {config.preset})"


def _is_set(part: Any, key: str) -> bool:
    default = next(field.default for field in dataclasses.fields(part) if field.name == key)
    return getattr(part, key) != default


def _loss(config: Config) -> list[str]:
    """Returns what the training loss does not use of the settings of smoothed cross-entropy.

    Raises:
        InputError: If there is no such loss, or it does not take its options.
    """
    options = config.training
    if options.loss == DEFAULT_LOSS:
        return []
    from lsk_engine.tasks.loss import check_loss, loss_parameters  # imports Keras

    check_loss(options)
    parameters, beside = loss_parameters(options.loss), f"training.loss={options.loss}"
    unused = [
        _nothing(f"training.{key}", options, key, beside, config)
        for key in ("alpha", "smoothing")
        if key not in parameters and _is_set(options, key)
    ]
    if "alpha" in parameters and not options.alpha:
        unused.append(f"{beside} with training.alpha=0 is plain cross-entropy")
    return unused


def _checkpoints(config: Config, total: float) -> list[str]:
    every, kept = config.training.checkpoint_every, config.training.keep_every
    if not kept or (kept % every == 0 and kept <= total):
        return []
    both = math.lcm(every, kept)
    what = (
        f"keeps no checkpoint of the {total:,} steps"
        if both > total
        else f"keeps those of every {both:,}th step only"
    )
    return [
        f"training.keep_every={kept} {what}: they are saved every "
        f"training.checkpoint_every={every} steps"
    ]

"""A task's configuration, new or as a run has written it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lsk_engine.data import prepared
from lsk_engine.data.named_source import path_or_name
from lsk_engine.settings.config import PARTS, Config
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.resolving import compose
from lsk_engine.tasks.contract import Task


def resolve(task: Task, preset: str | None, overrides: Mapping[str, Any]) -> Config:
    """Composes a task's defaults, a preset and overrides, in rising precedence.

    Where `data.source` is a prepared data set, the other settings of the data are its own. A
    path becomes an absolute one, so that a run finds its data from anywhere.

    Args:
        task: The task.
        preset: A preset's name; `None`: the task's first.
        overrides: Values by dotted key, such as `training.alpha`; strings are read as the
            field's type.

    Raises:
        InputError: As `lsk_engine.settings.resolving.compose`, or if `data.source` was prepared
            for another task.
    """

    def prepared_with(source: str) -> Mapping[str, Any] | None:
        found = prepared.is_prepared(source)
        return prepared.read_settings(source, task.name) if found else None

    config = compose(task, preset, overrides, prepared_with)
    if config.data.source in task.data_sources:
        return config
    found = path_or_name(config.data.source)
    if isinstance(found, str):
        return config
    data = dataclasses.replace(config.data, source=str(found.absolute()))
    return dataclasses.replace(config, data=data)


def from_dict(task: Task, values: Mapping[str, Any]) -> Config:
    """Rebuilds a configuration that `Config.to_dict` wrote, through JSON or not."""
    overrides = {f"{part}.{key}": v for part in PARTS for key, v in values[part].items()}
    config = resolve(task, values["preset"], overrides)
    if "distillation" not in values:
        return config
    return dataclasses.replace(config, distillation=DistillationConfig(**values["distillation"]))

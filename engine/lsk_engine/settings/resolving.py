"""Composing a configuration: defaults, a preset, overrides, what data were prepared with."""

import dataclasses
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ls_base.errors import InputError, near
from lsk_engine.settings.config import Config
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.settings.parts import TaskParts
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.settings.values import parse


def compose(
    task: TaskParts,
    preset: str | None,
    overrides: Mapping[str, Any],
    prepared_with: Callable[[str], Mapping[str, Any] | None],
) -> Config:
    """Composes defaults, a preset and overrides, in rising precedence.

    Where `data.source` is a prepared data set, the other settings of the data are its own.

    Args:
        task: The task, which brings its presets and the classes of its parts.
        preset: A preset's name; `None`: the task's first.
        overrides: Values by dotted key, such as `training.alpha`; strings are read as the
            field's type.
        prepared_with: Returns, of a `data.source`, the settings that it was prepared with; `None`:
            it is no prepared data set.

    Raises:
        InputError: For an unknown preset or key (with near matches), an unreadable value, or a
            setting that a prepared data set was not made with.
    """
    by_name = {p.name: p for p in task.presets}
    if preset is None:
        preset = task.presets[0].name
    if preset not in by_name:
        raise InputError(f"Expected a preset of task '{task.name}'. {near(preset, by_name)}")
    parts = part_classes(task)
    values: dict[str, dict[str, Any]] = {part: {} for part in parts}
    if "training.epochs" in overrides and "training.steps" not in overrides:
        overrides = {**overrides, "training.steps": None}
    for key, value in {**by_name[preset].settings, **overrides}.items():
        part, _, field = key.partition(".")
        if part not in parts or field not in typing.get_type_hints(parts[part]):
            raise InputError(f"Expected a configuration key. {near(key, keys(task))}")
        values[part][field] = parse(key, value, typing.get_type_hints(parts[part])[field])
    stored = prepared_with(values["data"].get("source", ""))
    if stored is not None:
        given = {key.removeprefix("data.") for key in overrides if key.startswith("data.")}
        values["data"] |= _of_prepared(task, stored, values["data"], given)
    built = {part: cls(**values[part]) for part, cls in parts.items()}
    return Config(task=task.name, preset=preset, **built)


def part_classes(task: TaskParts) -> dict[str, type]:
    """Returns the dataclass of each part of the task's configuration."""
    return {
        "training": TrainingConfig,
        "optimizer": OptimizerConfig,
        "data": task.data_config,
        "model": task.model_config,
        "decoding": task.decoding_config,
    }


def keys(task: TaskParts) -> list[str]:
    """Returns every dotted key of the task's configuration."""
    parts = part_classes(task).items()
    return [f"{part}.{field.name}" for part, cls in parts for field in dataclasses.fields(cls)]


def _of_prepared(
    task: TaskParts, written: Mapping[str, Any], values: Mapping[str, Any], given: Collection[str]
) -> dict[str, Any]:
    """Returns the settings of a prepared data set; those `given` too must be the same."""
    source = values["source"]
    hints = typing.get_type_hints(task.data_config)
    stored = {
        key: parse(f"data.{key}", value, hints[key])
        for key, value in written.items()
        if key in hints
    }
    differing = [key for key in stored if key in given and values[key] != stored[key]]
    if differing:
        expected, received = (
            ", ".join(f"data.{key}={settings[key]}" for key in differing)
            for settings in (stored, values)
        )
        raise InputError(
            f"Expected the settings that {source} was prepared with ({expected}), or none, or "
            f"other data (`lsk prepare`). Received: {received}"
        )
    return stored

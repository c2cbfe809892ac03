"""Composing a configuration: defaults, a preset, overrides, what data were prepared with."""

import dataclasses
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ls_base.errors import InputError, suggest
from lsk_engine.settings.config import PARTS, Config
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.settings.output_folders import is_written, may_write
from lsk_engine.settings.parsing import parse, value_before, values_before
from lsk_engine.settings.protocols import TaskParts
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.settings.user_code import is_code, note


def compose(
    task: TaskParts,
    preset: str | None,
    overrides: Mapping[str, Any],
    prepared_with: Callable[[str], Mapping[str, Any] | None],
) -> Config:
    """Composes defaults, a preset and overrides, in rising precedence.

    Where `data.source` is a prepared data set, the other settings of the data are its own. Code
    that is named is noted, see `lsk_engine.settings.user_code`.

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
        raise InputError(f"Expected a preset of task '{task.name}'. {suggest(preset, by_name)}")
    parts = part_classes(task)
    values: dict[str, dict[str, Any]] = {part: {} for part in parts}
    hints = {part: typing.get_type_hints(cls) for part, cls in parts.items()}
    for key, value in layered(by_name[preset].settings, overrides).items():
        part, field, option = split_key(task, key)
        if option:
            values[part].setdefault(field, {})[option] = parse(key, value, float | str)
        else:
            values[part][field] = parse(key, value, hints[part][field])
    stored = prepared_with(values["data"].get("source", ""))
    if stored is not None:
        given = {key.removeprefix("data.") for key in overrides if key.startswith("data.")}
        values["data"] |= _of_prepared(task, stored, values["data"], given)
    built: dict[str, Any] = {part: cls(**values[part]) for part, cls in parts.items()}
    for one in built.values():
        for code in filter(is_code, dataclasses.fields(one)):
            note(getattr(one, code.name))
    return Config(task=task.name, preset=preset, **built)


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings by dotted key, of which a later layer's take the place of an earlier one's.

    Steps take precedence over epochs within a layer only: who says how many epochs after somebody
    has said how many steps means it.

    Args:
        *layers: Settings by dotted key, the strongest last.

    Example:
    >>> layered({"training.steps": 450}, {"training.epochs": 3})
    {'training.steps': None, 'training.epochs': 3}
    """
    found: dict[str, Any] = {}
    for layer in layers:
        found |= _of_one_length(layer)
    return found


def with_one_length(overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns settings in which epochs, where they are given, take the place of steps.

    Args:
        overrides: Values by dotted key.

    Raises:
        InputError: If both are given: one of them would be void.
    """
    nothing = (None, "none", "None", "null")
    given = [
        key
        for key in ("training.epochs", "training.steps")
        if key in overrides and overrides[key] not in nothing
    ]
    if len(given) > 1:
        raise InputError(
            "Expected --epochs or --steps, not both. Received: "
            + " and ".join(f"{key}={overrides[key]}" for key in given)
        )
    return _of_one_length(overrides)


def _of_one_length(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the settings of one layer, with no steps where it says how many epochs."""
    if "training.epochs" in layer and "training.steps" not in layer:
        return {"training.steps": None, **layer}
    return layer


def with_decoding(config: Config, changes: Mapping[str, Any]) -> Config:
    """Returns a configuration with another search.

    Args:
        config: The configuration.
        changes: Fields of `config.decoding`, strings read as the field's type; `None` in one
            leaves it.

    Raises:
        InputError: If the task's decoding has no such field or value.
    """
    wanted = {name: value for name, value in changes.items() if value is not None}
    hints = typing.get_type_hints(type(config.decoding))
    unknown = wanted.keys() - hints.keys()
    if unknown:
        raise InputError(
            f"Expected a task whose decoding has {', '.join(sorted(unknown))}. "
            f"Received: a run of task '{config.task}'"
        )
    values = {name: parse(f"decoding.{name}", v, hints[name]) for name, v in wanted.items()}
    return config.changed("decoding", **values)


def restore(
    task: TaskParts,
    values: Mapping[str, Any],
    prepared_with: Callable[[str], Mapping[str, Any] | None],
) -> Config:
    """Rebuilds a complete configuration: nothing is taken from presets or defaults.

    Of folders that are written to, see `lsk_engine.settings.output_folders`.

    Args:
        task: The task.
        values: What `Config.to_dict` returned, through JSON or not.
        prepared_with: As for `compose`.

    Raises:
        InputError: For a missing or unknown key, an unreadable value, or a setting that the
            prepared data set was not made with.
    """
    classes = part_classes(task)
    parts = {part: _complete(part, classes[part], values) for part in PARTS}
    stored = prepared_with(parts["data"]["source"])
    if stored is not None:
        parts["data"] |= _of_prepared(task, stored, parts["data"], parts["data"])
    built: dict[str, Any] = {part: cls(**parts[part]) for part, cls in classes.items()}
    if values.get("distillation") is not None:
        found = _complete("distillation", DistillationConfig, values)
        built["distillation"] = DistillationConfig(**found)
    return Config(task=task.name, preset=values["preset"], **built)


def _complete(part: str, cls: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a part, read as the types of its fields, none of which is missing."""
    values = config.get(part)
    if not isinstance(values, Mapping):
        raise InputError(f"Expected the part {part} of a configuration. Received: none")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            known = [f"{part}.{name}" for name in fields]
            raise InputError(f"Expected a configuration key. {suggest(f'{part}.{key}', known)}")
    found, hints = {}, typing.get_type_hints(cls)
    for name, field in fields.items():
        try:
            value = values[name] if name in values else value_before(field, config)
        except (KeyError, TypeError):
            raise InputError(
                f"Expected {part}.{name} in a stored configuration, which has every key. "
                "Received: none; take config.json from a copy of the run"
            ) from None
        found[name] = parse(f"{part}.{name}", value, hints[name])
        if is_written(field) and found[name] is not None and not may_write(found[name]):
            found[name] = field.default
    return found


def completed(task: TaskParts, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a stored configuration with the settings that came after it: what was done then.

    Args:
        task: The task.
        values: What `Config.to_dict` returned, through JSON or not; parts and values may be missing
            otherwise, too.
    """
    found = dict(values)
    for part, cls in part_classes(task).items():
        of_part = values.get(part)
        if isinstance(of_part, Mapping):
            found[part] = {**of_part, **values_before(cls, of_part, values)}
    return found


def part_classes(task: TaskParts) -> dict[str, type]:
    """Returns the dataclass of each part of the task's configuration."""
    return {
        "training": TrainingConfig,
        "optimizer": OptimizerConfig,
        "data": task.data_config,
        "model": task.model_config,
        "decoding": task.decoding_config,
    }


def split_key(task: TaskParts, key: str) -> tuple[str, str, str]:
    """Splits a dotted key into part, field and, for a field with options, the option's name.

    Args:
        task: The task.
        key: Such as `training.alpha` or `training.loss_options.gamma`.

    Raises:
        InputError: If the task has no such setting, with near matches.
    """
    part, _, rest = key.partition(".")
    field, _, option = rest.partition(".")
    hints = typing.get_type_hints(part_classes(task).get(part, object))
    if field not in hints or (option != "" and typing.get_origin(hints[field]) is not Mapping):
        raise InputError(f"Expected a configuration key. {suggest(key, keys(task))}")
    return part, field, option


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

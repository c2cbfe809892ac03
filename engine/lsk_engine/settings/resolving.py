"""Resolving a configuration: defaults, a preset, overrides, and the settings of prepared data."""

import dataclasses
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ls_base.errors import InputError, suggest
from lsk_engine.settings.config import PARTS, Config, Suggestion
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.settings.output_folders import is_output_folder, may_write
from lsk_engine.settings.parsing import field_types, parse
from lsk_engine.settings.prepared_manifest import is_prepared, read_manifest
from lsk_engine.settings.protocols import TaskSettings
from lsk_engine.settings.source_spec import check_near_paths, path_or_name
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.settings.user_code import is_code, trust_code


def resolve_config(
    task: TaskSettings,
    preset: str | None,
    overrides: Mapping[str, Any],
    say: Callable[[str], None] = lambda note: None,
) -> Config:
    """Combines a task's defaults, a preset and overrides, in rising precedence.

    Where `data.source` is a prepared data set, the other settings of the data are those that it was
    prepared with. A path becomes absolute, so that a run finds its data from any folder. For a
    user's own data at a path, the task may choose a preset and settings (`Task.suggest`). Code that
    a setting names is trusted from now on, see `lsk_engine.settings.user_code`.

    Args:
        task: The task, which brings its presets and settings classes.
        preset: Name of a preset; `None`: the task's first.
        overrides: Values by dotted key, such as `training.alpha`; strings are converted to the
            type of the field.
        say: Called with each sentence on what the task found and chose.

    Raises:
        InputError: For an unknown preset or key (with near matches), a value that does not fit, or
            a setting that a prepared data set was not made with.
    """
    preset, overrides = apply_suggestion(task, preset, overrides, say)
    by_name = {one.name: one for one in task.presets}
    if preset is None:
        preset = task.presets[0].name
    if preset not in by_name:
        raise InputError(f"Expected a preset of task '{task.name}'. {suggest(preset, by_name)}")
    values: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    classes = settings_classes(task)
    for key, value in merge_settings(by_name[preset].settings, overrides).items():
        part, field, option = split_key(task, key)
        if option:
            value = {**values[part].get(field, {}), option: value}
            key = f"{part}.{field}"
        values[part][field] = parse(key, value, field_types(classes[part])[field])
    given = {key.removeprefix("data.") for key in overrides if key.startswith("data.")}
    config = _build_config(task, preset, values, given)
    for part in PARTS:
        for one in filter(is_code, dataclasses.fields(classes[part])):
            trust_code(getattr(getattr(config, part), one.name))
    if config.data.source in task.data_sources:
        return config
    found = path_or_name(config.data.source)
    if isinstance(found, str):
        return config
    return config.replace("data", source=str(found.absolute()))


def restore_config(task: TaskSettings, values: Mapping[str, Any]) -> Config:
    """Rebuilds a complete configuration: presets and defaults play no part.

    Folders that the configuration would write to are used only if
    `lsk_engine.settings.output_folders` allows it.

    Args:
        task: The task.
        values: The result of `Config.to_dict`, through JSON or not.

    Raises:
        InputError: For a missing or unknown key, a value that does not fit, or a setting that the
            prepared data set was not made with.
    """
    classes = settings_classes(task)
    parts = {part: _parse_complete(part, classes[part], values) for part in PARTS}
    config = _build_config(task, values["preset"], parts, parts["data"])
    if values.get("distillation") is None:
        return config
    fields = _parse_complete("distillation", DistillationConfig, values)
    return dataclasses.replace(config, distillation=DistillationConfig(**fields))


def _parse_complete(part: str, cls: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a part, converted to the types of its fields; none may be missing."""
    values = config.get(part)
    if not isinstance(values, Mapping):
        raise InputError(f"Expected the part {part} of a configuration. Received: none")
    fields, hints = {field.name: field for field in dataclasses.fields(cls)}, field_types(cls)
    for key in values:
        if key not in fields:
            known = [f"{part}.{name}" for name in fields]
            raise InputError(f"Expected a configuration key. {suggest(f'{part}.{key}', known)}")
    found = {}
    for name, field in fields.items():
        if name not in values:
            raise InputError(
                f"Expected {part}.{name} in a stored configuration, which has every key. "
                "Received: none; take config.json from a copy of the run"
            )
        found[name] = parse(f"{part}.{name}", values[name], hints[name])
        if is_output_folder(field) and found[name] is not None and not may_write(found[name]):
            found[name] = field.default
    return found


def _build_config(
    task: TaskSettings,
    preset: str,
    values: Mapping[str, dict[str, Any]],
    given: Collection[str],
) -> Config:
    """Builds the parts; settings of the data that are `given` must be those of prepared data."""
    data, source = values["data"], values["data"].get("source", "")
    if is_prepared(source):
        prepared, hints = {}, field_types(task.data_config)
        for key, value in read_manifest(source, task.name).settings.items():
            if key in hints:
                prepared[key] = parse(f"data.{key}", value, hints[key])
        if differing := [k for k in prepared if k in given and data[k] != prepared[k]]:
            expected, received = (
                ", ".join(f"data.{key}={settings[key]}" for key in differing)
                for settings in (prepared, data)
            )
            raise InputError(
                f"Expected the settings that {source} was prepared with ({expected}), or none, or "
                f"other data (`lsk prepare`). Received: {received}"
            )
        data = {**data, **prepared}
    parts: dict[str, Any] = {
        part: cls(**(data if part == "data" else values[part]))
        for part, cls in settings_classes(task).items()
    }
    return Config(task=task.name, preset=preset, **parts)


def apply_suggestion(
    task: TaskSettings,
    preset: str | None,
    overrides: Mapping[str, Any],
    say: Callable[[str], None],
) -> tuple[str | None, dict[str, Any]]:
    """Returns preset and overrides with those that the task chooses for a user's own data.

    Args:
        task: The task.
        preset: Name of a preset; `None`: the user has chosen none.
        overrides: Values by dotted key; they take precedence over those of the task.
        say: Called with each sentence on what the task found and chose.
    """
    suggestion = _suggest(task, preset, overrides)
    if suggestion is None:
        return preset, dict(overrides)
    for note in suggestion.notes:
        say(note)
    return suggestion.preset, {**suggestion.settings, **overrides}


def _suggest(
    task: TaskSettings, preset: str | None, overrides: Mapping[str, Any]
) -> Suggestion | None:
    source = overrides.get("data.source")
    if not isinstance(source, str) or source in task.data_sources or is_prepared(source):
        return None
    check_near_paths(source)
    found = path_or_name(source)
    if isinstance(found, str) or not found.exists():
        return None
    return task.suggest(found, preset, overrides)


def merge_settings(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merges settings by dotted key; later layers take precedence.

    Within a layer, steps take precedence over epochs; epochs of a later layer replace the steps of
    an earlier one.

    Args:
        *layers: Settings by dotted key, the strongest last.

    Example:
    >>> merge_settings({"training.steps": 450}, {"training.epochs": 3})
    {'training.steps': None, 'training.epochs': 3}
    """
    found: dict[str, Any] = {}
    for layer in layers:
        if "training.epochs" in layer and "training.steps" not in layer:
            found["training.steps"] = None
        found |= layer
    return found


def resolve_epochs_and_steps(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings in which epochs, if given, replace the steps of a preset.

    Args:
        overrides: Values by dotted key.

    Raises:
        InputError: If both are given.
    """
    given = [
        key
        for key in ("training.epochs", "training.steps")
        if str(overrides.get(key)).lower() not in ("none", "null")
    ]
    if len(given) > 1:
        raise InputError(
            "Expected --epochs or --steps, not both. Received: "
            + " and ".join(f"{key}={overrides[key]}" for key in given)
        )
    return merge_settings(overrides)


def replace_decoding(config: Config, changes: Mapping[str, Any]) -> Config:
    """Returns a configuration with other settings of decoding.

    Args:
        config: The configuration.
        changes: Fields of `config.decoding`, strings converted to the type of the field; fields
            that are `None` stay as they are.

    Raises:
        InputError: If the task's decoding has no such field or value.
    """
    wanted = {name: value for name, value in changes.items() if value is not None}
    hints = field_types(type(config.decoding))
    if unknown := wanted.keys() - hints.keys():
        raise InputError(
            f"Expected a task whose decoding has {', '.join(sorted(unknown))}. "
            f"Received: a run of task '{config.task}'"
        )
    values = {name: parse(f"decoding.{name}", v, hints[name]) for name, v in wanted.items()}
    return config.replace("decoding", **values)


def settings_classes(task: TaskSettings) -> dict[str, type]:
    """Returns the dataclass of each part of the task's configuration."""
    return {
        "training": TrainingConfig,
        "optimizer": OptimizerConfig,
        "data": task.data_config,
        "model": task.model_config,
        "decoding": task.decoding_config,
    }


def split_key(task: TaskSettings, key: str) -> tuple[str, str, str]:
    """Splits a dotted key into part, field and, for a field with options, the option's name.

    Args:
        task: The task.
        key: Such as `training.alpha` or `training.loss_options.gamma`.

    Raises:
        InputError: If the task has no such setting, with near matches.
    """
    part, _, rest = key.partition(".")
    field, _, option = rest.partition(".")
    hints = field_types(settings_classes(task).get(part, object))
    if field not in hints or (option and typing.get_origin(hints[field]) is not Mapping):
        raise InputError(f"Expected a configuration key. {suggest(key, setting_keys(task))}")
    return part, field, option


def setting_keys(task: TaskSettings) -> list[str]:
    """Returns every dotted key of the task's configuration."""
    parts = settings_classes(task).items()
    return [f"{part}.{field.name}" for part, cls in parts for field in dataclasses.fields(cls)]

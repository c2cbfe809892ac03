"""A task's configuration, new or as a run has written it."""

from collections.abc import Callable, Mapping
from typing import Any

from lsk_engine.data.prepared import prepared_data
from lsk_engine.data.source_spec import check_near_paths, path_or_name
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import compose, restore
from lsk_engine.tasks.contract import Suggestion, Task


def resolve(
    task: Task,
    preset: str | None,
    overrides: Mapping[str, Any],
    say: Callable[[str], None] = lambda note: None,
) -> Config:
    """Composes a task's defaults, a preset and overrides, in rising precedence.

    Where `data.source` is a prepared data set, the other settings of the data are its own. A
    path becomes an absolute one, so that a run finds its data from anywhere. Of own data at a
    path, the task may choose what the user has not (`Task.suggest`): it is said, and part of the
    configuration.

    Args:
        task: The task.
        preset: A preset's name; `None`: the task's first.
        overrides: Values by dotted key, such as `training.alpha`; strings are read as the
            field's type.
        say: Called with each sentence on what was found and chosen.

    Raises:
        InputError: As `lsk_engine.settings.resolving.compose`, or if `data.source` was prepared
            for another task.
    """
    preset, overrides = suited(task, preset, overrides, say)
    config = compose(task, preset, overrides, _prepared_with(task))
    if config.data.source in task.data_sources:
        return config
    found = path_or_name(config.data.source)
    if isinstance(found, str):
        return config
    return config.changed("data", source=str(found.absolute()))


def from_dict(task: Task, values: Mapping[str, Any]) -> Config:
    """Rebuilds a configuration that `Config.to_dict` wrote, through JSON or not.

    Args:
        task: The task.
        values: The configuration, complete: it doesn't depend on what presets are today.

    Raises:
        InputError: As `lsk_engine.settings.resolving.restore`.
    """
    return restore(task, values, _prepared_with(task))


def suited(
    task: Task, preset: str | None, overrides: Mapping[str, Any], say: Callable[[str], None]
) -> tuple[str | None, dict[str, Any]]:
    """Returns preset and overrides with what the task chooses for a user's own data.

    Args:
        task: The task.
        preset: A preset's name; `None`: nobody has chosen one.
        overrides: Values by dotted key; they go before what is chosen.
        say: Called with each sentence on what was found and chosen.
    """
    suggestion = _suggested(task, preset, overrides)
    if suggestion is None:
        return preset, dict(overrides)
    for note in suggestion.notes:
        say(note)
    return suggestion.preset, {**suggestion.settings, **overrides}


def _suggested(task: Task, preset: str | None, overrides: Mapping[str, Any]) -> Suggestion | None:
    source = overrides.get("data.source")
    if (
        not isinstance(source, str)
        or source in task.data_sources
        or prepared_data.is_prepared(source)
    ):
        return None
    check_near_paths(source)
    found = path_or_name(source)
    if isinstance(found, str) or not found.exists():
        return None
    return task.suggest(found, preset, overrides)


def _prepared_with(task: Task) -> Callable[[str], Mapping[str, Any] | None]:
    def settings(source: str) -> Mapping[str, Any] | None:
        return (
            prepared_data.read_settings(source, task.name)
            if prepared_data.is_prepared(source)
            else None
        )

    return settings

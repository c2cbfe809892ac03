"""What the engine reads of a task and of its settings classes."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ls_base.errors import LsKerasError
from lsk_engine.settings.config import Preset, Suggestion
from lsk_engine.settings.unsmoothing import Unsmooth


class DataSettings(Protocol):
    """Required fields of every task's `data_config`.

    Attributes:
        source: Name of a data set or a path; `--data` sets it.
    """

    source: str


class SearchSettings(Protocol):
    """Required fields of the `decoding_config` of a task that decodes with a search.

    Attributes:
        beam_size: Number of beams; 1 is greedy search.
        temperature: T, which divides the logits.
    """

    beam_size: int
    temperature: float


class UnsmoothSettings(Protocol):
    """Field of the `decoding_config` of a task whose search can remove label smoothing.

    Attributes:
        unsmooth: The α to remove, or `fitted`: that of training; 0: none.
    """

    unsmooth: Unsmooth


class TaskSettings:
    """The part of a task that its configuration is resolved from; base of `tasks.contract.Task`.

    Attributes:
        name: Name of the task.
        data_config: Frozen dataclass of the settings `data.…`, with a field `source: str`.
        model_config: Frozen dataclass of the settings `model.…`.
        decoding_config: Frozen dataclass of the settings `decoding.…`.
        presets: Recipes, the default first.
        data_sources: Names that `data.source` takes besides paths, each with a line of text.
        study_preset: Name of the preset of studies; `None`: the first. A task that a model nearly
            solves hides every effect.
    """

    name: ClassVar[str]
    data_config: ClassVar[type]
    model_config: ClassVar[type]
    decoding_config: ClassVar[type]
    presets: ClassVar[Sequence[Preset]]
    data_sources: ClassVar[Mapping[str, str]]
    study_preset: ClassVar[str | None] = None

    def suggest(
        self, source: Path, preset: str | None, given: Mapping[str, Any]
    ) -> Suggestion | None:
        """Chooses a preset and settings for a user's own data; `None`: nothing is chosen.

        Args:
            source: The path that `--data` names; it exists, and is no prepared data set.
            preset: The preset that the user chose; it stays.
            given: The settings that the user gave, by dotted key.
        """
        return None


def has_search(decoding_config: Any) -> bool:
    """Returns whether a task's `decoding_config`, the class or an instance, has a search's fields.

    Args:
        decoding_config: A dataclass.
    """
    names = {field.name for field in dataclasses.fields(decoding_config)}
    return bool(names & typing.get_type_hints(SearchSettings).keys())


def check_settings_classes(task: TaskSettings) -> None:
    """Refuses a task whose presets or settings classes break the contract.

    Args:
        task: The task of a plugin.

    Raises:
        LsKerasError: In one line for the plugin's author.
    """
    for part in ("data_config", "model_config", "decoding_config"):
        cls = getattr(task, part, None)
        if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
            raise LsKerasError(
                f"Expected {part} of task '{task.name}' to be a frozen dataclass. Received: {cls!r}"
            )
    expected: list[tuple[str, type]] = [("data_config", DataSettings)]
    if has_search(task.decoding_config):
        expected.append(("decoding_config", SearchSettings))
    if "unsmooth" in typing.get_type_hints(task.decoding_config):
        expected.append(("decoding_config", UnsmoothSettings))
    for part, protocol in expected:
        found = typing.get_type_hints(getattr(task, part))  # without bounds
        for name, kind in typing.get_type_hints(protocol).items():
            if found.get(name) != kind:
                received = getattr(found.get(name), "__name__", found.get(name))
                raise LsKerasError(
                    f"Expected {part} of task '{task.name}' to have a field "
                    f"`{name}: {getattr(kind, '__name__', kind)}`. "
                    f"Received: {received or 'no such field'}"
                )
    if not task.presets:
        raise LsKerasError(f"Expected at least one preset of task '{task.name}'. Received: none")
    names, wanted = [preset.name for preset in task.presets], task.study_preset
    if wanted is not None and wanted not in names:
        raise LsKerasError(
            f"Expected study_preset of task '{task.name}' to be one of {', '.join(names)}. "
            f"Received: {wanted!r}"
        )

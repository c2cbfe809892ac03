"""What the engine reads of a task's own settings, declared: nothing else is assumed of them."""

import dataclasses
import typing
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from ls_base.errors import LsKerasError
from lsk_engine.settings.config import Preset


class DataSettings(Protocol):
    """What every task's `data_config` has.

    Attributes:
        source: A data set's name or a path; what `--data` sets.
    """

    source: str


class SearchSettings(Protocol):
    """What the `decoding_config` of a task has that searches; of one that does not, nothing.

    Attributes:
        beam_size: Live beams; 1 is greedy search.
        temperature: T, which divides the logits.
    """

    beam_size: int
    temperature: float


class UnsmoothSettings(Protocol):
    """What the `decoding_config` of a task has besides whose search undoes smoothing.

    Attributes:
        unsmooth: The α to undo, or `fitted`: that of training; 0: none.
    """

    unsmooth: float | str


class TaskParts(Protocol):
    """What resolving a configuration needs of a task: its name, its presets, its own parts."""

    name: ClassVar[str]
    presets: ClassVar[Sequence[Preset]]
    data_config: ClassVar[type]
    model_config: ClassVar[type]
    decoding_config: ClassVar[type]


def searches(decoding_config: Any) -> bool:
    """Returns whether a task's `decoding_config`, the class or an instance, has a search's fields.

    Args:
        decoding_config: A dataclass.
    """
    names = {field.name for field in dataclasses.fields(decoding_config)}
    return bool(names & typing.get_type_hints(SearchSettings).keys())


def check_parts(task: TaskParts) -> None:
    """Refuses a task whose settings are not what the engine reads of them.

    Args:
        task: The task, as its plugin made it.

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
    if searches(task.decoding_config):
        expected.append(("decoding_config", SearchSettings))
    if "unsmooth" in typing.get_type_hints(task.decoding_config):
        expected.append(("decoding_config", UnsmoothSettings))
    for part, protocol in expected:
        found = typing.get_type_hints(getattr(task, part))
        for name, kind in typing.get_type_hints(protocol).items():
            if found.get(name) != kind:
                received = getattr(found.get(name), "__name__", found.get(name))
                raise LsKerasError(
                    f"Expected {part} of task '{task.name}' to have a field "
                    f"`{name}: {getattr(kind, '__name__', kind)}`. "
                    f"Received: {received or 'no such field'}"
                )
    if not task.presets:
        raise LsKerasError(f"Expected a preset of task '{task.name}' at least. Received: none")
    names, wanted = [preset.name for preset in task.presets], getattr(task, "study_preset", None)
    if wanted is not None and wanted not in names:
        raise LsKerasError(
            f"Expected study_preset of task '{task.name}' to be one of {', '.join(names)}. "
            f"Received: {wanted!r}"
        )

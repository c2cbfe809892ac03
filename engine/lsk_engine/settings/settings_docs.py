"""Every setting of a task, told: its key, type, default, and what its class's docstring says."""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from lsk_engine.settings.protocols import TaskParts
from lsk_engine.settings.resolving import part_classes

_ATTRIBUTE = re.compile(r" {4}(\w+): (.*)")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: Its dotted key, as `--set` takes it.
        kind: The type of its values, in a few words.
        default: What it is where neither preset nor user says anything.
        meaning: What the docstring of its class says.
        computed: Whether it follows from others, and need not be given.
    """

    key: str
    kind: str
    default: Any
    meaning: str
    computed: bool = False


def settings_of(task: TaskParts) -> list[Setting]:
    """Returns the settings of a task, part by part, in the order of their classes.

    Args:
        task: The task.

    Example:
    >>> from lsk_engine.tasks.registry import load_task
    >>> found = {setting.key: setting for setting in settings_of(load_task("image"))}
    >>> found["training.steps"].kind, found["training.steps"].default
    ('int or none', None)
    >>> found["training.alpha"].meaning
    "Smoothing α of the loss, 0 … 1, in the paper's convention (α/K off the target)."
    """
    found = []
    for part, cls in part_classes(task).items():
        meanings, hints = _meanings(cls), typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            found.append(
                Setting(
                    key=f"{part}.{field.name}",
                    kind=_kind(hints[field.name]),
                    default=_default(field),
                    meaning=meanings.get(field.name, ""),
                    computed=is_computed(field),
                )
            )
    return found


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def is_computed(field: dataclasses.Field) -> bool:
    """Returns whether a field follows from others: its metadata have `computed`."""
    return bool(field.metadata.get("computed"))


def _meanings(cls: type) -> dict[str, str]:
    """Returns what the section `Attributes` of a class's docstring says of each."""
    _, _, section = (inspect.getdoc(cls) or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if not line.startswith("    "):
            break
        start = _ATTRIBUTE.fullmatch(line)
        if start:
            name, found[start[1]] = start[1], start[2]
        elif name:
            found[name] += f" {line.strip()}"
    return found


def _kind(hint: Any) -> str:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    names = []
    for option in options:
        if typing.get_origin(option) is Mapping:
            names.append("table of options")
        elif typing.get_origin(option) is tuple:
            names.append(f"list of {_kind(typing.get_args(option)[0])}")
        else:
            names.append("none" if option is type(None) else getattr(option, "__name__", "any"))
    return " or ".join(names)

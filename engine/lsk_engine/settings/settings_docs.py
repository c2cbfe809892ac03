"""Documentation of a task's settings: key, type, default, and the text of the class's docstring."""

import dataclasses
import inspect
import re
from typing import Any

from lsk_engine.settings.parsing import describe, field_types
from lsk_engine.settings.protocols import TaskSettings
from lsk_engine.settings.resolving import settings_classes

_ATTRIBUTE = re.compile(r" {4}(\w+): (.*)")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: Its dotted key, as `--set` takes it.
        kind: The values that it takes, as a phrase.
        default: Its default.
        meaning: Its description in the docstring of its class.
        computed: Whether it follows from other settings, and need not be given.
    """

    key: str
    kind: str
    default: Any
    meaning: str
    computed: bool = False


def document_settings(task: TaskSettings) -> list[Setting]:
    """Returns the settings of a task, part by part, in the order of their classes.

    Args:
        task: The task.

    Example:
    >>> from lsk_engine.tasks.registry import load_task
    >>> found = {setting.key: setting for setting in document_settings(load_task("image"))}
    >>> found["training.steps"].kind, found["training.steps"].default
    ('an integer of at least 1 or none', None)
    >>> found["training.smoothing"].meaning
    'Distribution of the smoothing mass α over the classes.'
    """
    found = []
    for part, cls in settings_classes(task).items():
        meanings, hints = _attribute_docs(cls), field_types(cls)
        for field in dataclasses.fields(cls):
            found.append(
                Setting(
                    key=f"{part}.{field.name}",
                    kind=describe(hints[field.name]),
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
    """Returns whether a field follows from others: its metadata contain `computed`."""
    return bool(field.metadata.get("computed"))


def _attribute_docs(cls: type) -> dict[str, str]:
    """Returns the text of each attribute in the section `Attributes` of a class's docstring."""
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

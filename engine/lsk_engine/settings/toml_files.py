"""Settings in TOML files: reading a file for `--config`, and writing all settings of a task."""

import dataclasses
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, reason, short_repr
from ls_base.safe_open import read_bytes
from lsk_engine.settings.config import Config
from lsk_engine.settings.parsing import flat
from lsk_engine.settings.protocols import TaskSettings
from lsk_engine.settings.settings_docs import document_settings

NONE = "none"  # TOML has no null; `--set` takes the same word
_MOST_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class SettingsFile:
    """Task, preset and settings from a file.

    Attributes:
        task: The task's name, or `None`.
        preset: Name of the preset to start from; `None`: the task's first.
        values: Settings by dotted key.
    """

    task: str | None
    preset: str | None
    values: Mapping[str, Any]


def read_toml(file: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Args:
        file: The file.

    Raises:
        FileError: If it can't be read.
        InputError: If it is not TOML.
    """
    try:
        return tomllib.loads(read_bytes(file, max_bytes=_MOST_BYTES).decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"Expected TOML in {file}. Received: {reason(error)}") from error


def read_settings(file: Path) -> SettingsFile:
    """Reads settings as tables or dotted keys, and, optionally, `task` and `preset`.

    The keys are checked later, by `lsk_engine.settings.resolving.resolve_config`.

    Args:
        file: The file.

    Raises:
        FileError: If it can't be read.
        InputError: If it is not TOML, or its task or preset is not text.
    """
    values = read_toml(file)
    named = {key: values.pop(key, None) for key in ("task", "preset")}
    for key, value in named.items():
        if not isinstance(value, str | None):
            raise InputError(
                f"Expected {key} in {file} to be a name. Received: {short_repr(value)}"
            )
    return SettingsFile(named["task"], named["preset"], flat(values))


def settings_text(task: TaskSettings, config: Config, *, width: int = 88) -> str:
    """Returns a configuration as TOML, each key below its documentation.

    Args:
        task: The task.
        config: Its configuration.
        width: Maximum width of comments, in characters; values are never wrapped.
    """
    import tomli_w  # imported here: few commands write TOML

    stored = config.to_dict()
    lines = [tomli_w.dumps({"task": config.task, "preset": config.preset}).rstrip()]
    part = ""
    for setting in document_settings(task):
        if setting.key.partition(".")[0] != part:
            part = setting.key.partition(".")[0]
            lines += ["", f"[{part}]"]
        name = setting.key.partition(".")[2]
        default = _line("default", setting.default).partition(" = ")[2]
        meaning = setting.meaning.replace("`None`", f'"{NONE}"')
        about = f"{meaning} ({setting.kind}; default {default})".strip()
        comments = (f"# {line}" for line in _wrapped(about, max(width, 40) - 2))
        value = _line(name, stored[part][name])
        # A computed setting is a comment: it follows from the others.
        lines += ["", *comments, f"# {value}" if setting.computed else value]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _line(name: str, value: Any) -> str:
    """Returns `name = value`, on one line."""
    import tomli_w

    if isinstance(value, Mapping):
        return f"{name} = {{{', '.join(_line(key, one) for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        items = (_line("x", item).partition(" = ")[2] for item in value)
        return f"{name} = [{', '.join(items)}]"
    return tomli_w.dumps({name: NONE if value is None else value}).rstrip("\n")

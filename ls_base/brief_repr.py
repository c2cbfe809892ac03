"""How objects show themselves: one line that says what matters, and no arrays."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

_FEW = 4  # numbers that are shown one by one


def brief_repr(thing: Any, **values: Any) -> str:
    """Returns the line for an object, with some of its values.

    Args:
        thing: The object.
        **values: What to show of it; `None` is left out.

    Example:
    >>> import numpy as np
    >>> from ls_base.brief_repr import one_line
    >>> brief_repr(object(), alpha=0.1, prior=np.ones(3), name=None)
    'object(alpha=0.1, prior=<array (3,)>)'
    """
    shown = ", ".join(
        f"{key}={brief_value(value)}" for key, value in values.items() if value is not None
    )
    return f"{type(thing).__name__}({shown})"


def brief_value(value: Any) -> str:
    """Returns a value in a few words: of arrays the shape, of many things the number."""
    if hasattr(value, "trainable"):  # a variable, whose value may be elsewhere while a model trains
        return f"<variable {tuple(value.shape)}>"
    if isinstance(value, np.ndarray) or (hasattr(value, "shape") and hasattr(value, "dtype")):
        shape = tuple(value.shape)
        return f"<array {shape}>" if shape else str(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    if isinstance(value, Mapping | list | tuple | set | frozenset) and len(value) > _FEW:
        return f"<{len(value)} in a {type(value).__name__}>"
    if isinstance(value, list):
        return f"[{', '.join(brief_value(entry) for entry in value)}]"
    if type(value) is tuple:
        inside = ", ".join(brief_value(entry) for entry in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key!r}: {brief_value(entry)}" for key, entry in value.items())
        return f"{{{inside}}}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else f"<{type(value).__name__}>"


class BriefRepr:
    """Base of results: a dataclass, decorated with `repr=False`, that shows its fields briefly."""

    def __repr__(self) -> str:
        fields: Any = dataclasses.fields(self)  # type: ignore[arg-type]
        return brief_repr(self, **{f.name: getattr(self, f.name) for f in fields if f.repr})


class ConfigRepr:
    """Base of what Keras configures: shows the arguments that differ from their defaults."""

    def __repr__(self) -> str:
        told = {}
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            value = getattr(self, name, parameter.default)
            usual = isinstance(value, type(parameter.default)) and value == parameter.default
            if name not in ("self", "dtype") and not usual:
                told[name] = value
        return brief_repr(self, **told)

"""One-line representations of results, losses and metrics, without array contents."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

_MAX_ITEMS = 4  # items of a collection that are shown one by one


def brief_repr(thing: Any, **values: Any) -> str:
    """Returns a line for an object: its type and some of its values.

    Args:
        thing: The object.
        **values: The values to show; `None` is left out.

    Example:
    >>> import numpy as np
    >>> from ls_base.brief_repr import brief_repr
    >>> brief_repr(object(), alpha=0.1, prior=np.ones(3), name=None)
    'object(alpha=0.1, prior=<array (3,)>)'
    """
    shown = (f"{key}={brief_value(value)}" for key, value in values.items() if value is not None)
    return f"{type(thing).__name__}({', '.join(shown)})"


def brief_value(value: Any) -> str:
    """Returns a short text for a value: the shape of an array, the length of a collection."""
    if hasattr(value, "trainable"):  # a variable, whose value may be on a device
        return f"<variable {tuple(value.shape)}>"
    if isinstance(value, np.ndarray) or (hasattr(value, "shape") and hasattr(value, "dtype")):
        shape = tuple(value.shape)
        return f"<array {shape}>" if shape else str(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    if isinstance(value, Mapping | list | tuple | set | frozenset) and len(value) > _MAX_ITEMS:
        return f"<{len(value)} in a {type(value).__name__}>"
    if isinstance(value, list):
        return f"[{', '.join(map(brief_value, value))}]"
    if type(value) is tuple:
        inner = ", ".join(map(brief_value, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key!r}: {brief_value(entry)}" for key, entry in value.items())
        return f"{{{inner}}}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else f"<{type(value).__name__}>"


class BriefRepr:
    """Base of results: a dataclass, decorated with `repr=False`, that shows its fields briefly."""

    def __repr__(self) -> str:
        fields: Any = dataclasses.fields(self)  # type: ignore[arg-type]
        return brief_repr(self, **{f.name: getattr(self, f.name) for f in fields if f.repr})


class ConfigRepr:
    """Base of losses, metrics and layers: shows the arguments that differ from their defaults."""

    def __repr__(self) -> str:
        changed = {}
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            value = getattr(self, name, parameter.default)
            default = isinstance(value, type(parameter.default)) and value == parameter.default
            if name not in ("self", "dtype") and not default:
                changed[name] = value
        return brief_repr(self, **changed)


class SharedArguments(ConfigRepr):
    """Base of losses and metrics whose constructors pass `**options` on to a common base class."""

    def __init_subclass__(cls, **kwargs):
        """Shows the arguments that `**options` passes on in the constructor's signature."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            init: Any = cls.__init__
            own = list(inspect.signature(init).parameters.values())
            if own[-1].kind is inspect.Parameter.VAR_KEYWORD:
                inherited = inspect.signature(cls.__mro__[1].__init__).parameters  # type: ignore[misc]
                names = {parameter.name for parameter in own}
                own[-1:] = (
                    parameter
                    for name, parameter in inherited.items()
                    if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in names
                )
                init.__signature__ = inspect.Signature(own)

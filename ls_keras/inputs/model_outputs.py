"""Selects one of several model outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from ls_base.errors import InputError
from ls_keras.errors import shown

Output = str | int | None


def select_output(outputs, output: Output, names: Sequence[str] = ()):
    """Returns one of a model's outputs, or of its symbolic outputs.

    Args:
        outputs: A tensor, or a list, tuple or mapping of tensors.
        output: The key of an output in a mapping, or its index or name in a list; `None` for the
            only one.
        names: The names of the entries of a list, as `Model.output_names`.

    Raises:
        InputError: If there is no such output, or if there are several and `output` is `None`.

    Example:
    >>> from ls_keras.inputs.model_outputs import select_output
    >>> select_output({"label": 1.0, "domain": 2.0}, "domain"), select_output([1.0, 2.0], 0)
    (2.0, 1.0)
    """
    entries = _entries(outputs, names)
    key = next(iter(entries)) if output is None and _number(outputs) == 1 else output
    if not isinstance(key, str | int) or isinstance(key, bool) or key not in entries:
        keys = [k for k in entries if isinstance(k, str)] or list(entries)
        raise InputError(
            f"Expected one output, or output= to be one of {', '.join(map(repr, keys))}. "
            f"Received: output={shown(output)}"
        )
    return entries[key]


def symbolic(model, output: Output) -> keras.KerasTensor | None:
    """Returns a model's symbolic output; `None` for a function or a model without a graph."""
    if isinstance(model, keras.Function) and not isinstance(model, keras.Sequential):
        return select_output(model.output, output, model.output_names)
    if isinstance(model, keras.Sequential) and model.built:
        return select_output(model.outputs[0], output, [model.layers[-1].name])
    return None


def replaced(outputs, output: Output, value, names: Sequence[str] = ()):
    """Returns the structure of `outputs` with another value for one output."""
    old = select_output(outputs, output, names)
    if isinstance(outputs, Mapping):
        return {key: value if entry is old else entry for key, entry in outputs.items()}
    if isinstance(outputs, list | tuple):
        return [value if entry is old else entry for entry in outputs]
    return value


def of_head(values, output: Output, names: Sequence[str] = ()):
    """Returns the labels or weights of one output, if a batch has them for each.

    Args:
        values: An array for all outputs, or a mapping, list or tuple of arrays as the outputs.
        output: As for `select_output`.
        names: As for `select_output`.
    """
    if output is None or values is None:
        return values
    each = isinstance(values, list | tuple) and all(hasattr(entry, "shape") for entry in values)
    return select_output(values, output, names) if each or isinstance(values, Mapping) else values


def _entries(outputs, names: Sequence[str]) -> dict[Any, Any]:
    if isinstance(outputs, Mapping):
        return dict(outputs)
    if isinstance(outputs, list | tuple):
        named = dict(zip(names, outputs, strict=True)) if len(names) == len(outputs) else {}
        return {**named, **dict(enumerate(outputs))}
    return {**dict.fromkeys(names, outputs), 0: outputs}


def _number(outputs) -> int:
    return len(outputs) if isinstance(outputs, Mapping | list | tuple) else 1

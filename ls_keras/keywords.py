"""Keywords that a function doesn't take: told with the name by which it takes what was meant."""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from ls_base.errors import InputError
from ls_keras.backend.autograph import as_written
from ls_keras.inputs.validation import shown

_Function = TypeVar("_Function", bound=Callable)

# What the paper and other libraries call things: by the names here, of which a function has some.
_MEANT = {
    "alpha label_smoothing smoothing smoothing_factor epsilon eps": "alpha epsilon",
    "T tau temp temperature": "temperature teacher_temperature student_temperature temperatures",
    "ignore_index ignore_label pad_id padding_idx pad_token_id void": "ignore_class",
    "labels label target targets truth y": "y_true labels",
    "logits preds predictions probabilities probs scores outputs input": "y_pred from_logits",
    "weight weights sample_weights": "sample_weight",
    "n_bins bins nbins": "num_bins",
    "n_classes classes k K": "num_classes classes",
    "num_beams beam_width beams beam": "beam_size",
    "gamma lam lambda_ kd_weight distillation_weight": "beta gamma",
    "dim class_axis": "axis",
    "frequency freq interval period every_n_epochs epochs": "every",
    "steps every_n_steps step": "every_steps every",
    "data dataset validation_data examples x": "data dataset validation_data examples",
    "images": "data",
    "path folder dir logdir log_dir save_dir": "directory file",
    "multilabel sigmoid": "multi_label",
    "random_state rng": "seed",
    "prior probabilities": "prior smoothing probabilities",
}
_SYNONYMS: dict[str, list[str]] = {}
for _foreign, _ours in _MEANT.items():
    for _word in _foreign.split():
        _SYNONYMS.setdefault(_word, []).extend(_ours.split())

# What Keras's layers take beside what they name.
_OF_LAYERS = {*inspect.signature(keras.layers.Layer.__init__).parameters} | {
    *("input_shape", "input_dim", "batch_size", "batch_shape", "weights")
}


def told_keywords(function: _Function, called: str | None = None) -> _Function:
    """Makes a function raise an `InputError` for a keyword that it doesn't take.

    The message has the near matches, those included that other libraries, or the paper, call so.

    Args:
        function: A function, or a class's `__init__`.
        called: What the message calls it. Default: its name, or its class's.
    """
    parameters = inspect.signature(function).parameters
    if "self" not in parameters and any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return function  # which hands them on
    known = {name for name in parameters if name != "self"}
    takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    more = _OF_LAYERS if takes_more else set()
    name = called or function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def checked(*args, **kwargs):
        for keyword in kwargs:
            if keyword not in known and keyword not in more:
                raise InputError(_message(name, keyword, kwargs[keyword], list(parameters)))
        return function(*args, **kwargs)

    # Keras reads the arguments of constructors without looking behind wrappers.
    checked.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return as_written(checked)  # type: ignore[return-value]


class TellsKeywords:
    """Base of classes whose constructors are `told_keywords`, those of subclasses too."""

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        parameters = inspect.signature(cls.__init__).parameters.values()
        handing_on = any(p.kind is p.VAR_KEYWORD for p in parameters)  # to one that tells
        if "__init__" in vars(cls) and not handing_on:
            cls.__init__ = told_keywords(cls.__init__, cls.__name__)  # type: ignore[method-assign]


def _message(function: str, keyword: str, value, parameters: list[str]) -> str:
    names = [name for name in parameters if name not in ("self", "args", "kwargs", "options")]
    near = [name for name in _SYNONYMS.get(keyword, ()) if name in names]
    near += difflib.get_close_matches(keyword, names, n=2)
    if near:
        meant = " or ".join(dict.fromkeys(near))
        expected = f"Expected an argument that {function} has; did you mean {meant}?"
    else:
        expected = f"Expected an argument that {function} has: {', '.join(names) or 'none'}."
    return f"{expected} Received: {keyword}={shown(value)}"

"""THE table of the names of this package, and what finds losses and smoothings by them."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType

import keras

from ls_base.errors import InputError
from ls_keras.inputs.registry import from_config, named
from ls_keras.inputs.validation import shown
from ls_keras.losses.confidence_penalty import ConfidencePenalty
from ls_keras.losses.cross_entropy import smoothed_cross_entropy
from ls_keras.losses.focal_ce import FocalCE
from ls_keras.losses.fused_linear.cross_entropy import linear_smoothed_ce
from ls_keras.losses.margin_smoothing import MarginSmoothing
from ls_keras.losses.max_sup import MaxSup
from ls_keras.losses.negative_smoothing import NegativeSmoothing
from ls_keras.losses.neighborhood import Neighborhood
from ls_keras.losses.priors import Prior, Uniform, Unigram
from ls_keras.losses.smoothed_bce import SmoothedBCE
from ls_keras.losses.smoothed_ce import SmoothedCE
from ls_keras.losses.smoothing import Smoothing

_KIND = "a loss or smoothing"

# A loss has its own `name` by default.
NAMES: Mapping[str, Callable] = MappingProxyType(
    {
        "smoothed_ce": SmoothedCE,
        "smoothed_bce": SmoothedBCE,
        "max_sup": MaxSup,
        "margin_smoothing": MarginSmoothing,
        "focal_ce": FocalCE,
        "confidence_penalty": ConfidencePenalty,
        "negative_smoothing": NegativeSmoothing,
        "smoothed_cross_entropy": smoothed_cross_entropy,
        "linear_smoothed_ce": linear_smoothed_ce,
        "uniform": Uniform,
        "unigram": Unigram,
        "prior": Prior,
        "neighborhood": Neighborhood,
    }
)


def get(identifier, **options):
    """Returns a loss, or a smoothing, by name, configuration or object.

    Keras's `get`, and strings in `compile`, know Keras's own names only:
    `compile(loss=ls_keras.losses.get("smoothed_ce", from_logits=True))`. A configuration too comes
    into `compile` through here, since Keras takes a dictionary there for one loss by output.

    - Losses: `"smoothed_ce"`, `"smoothed_bce"`, `"max_sup"`, `"margin_smoothing"`, `"focal_ce"`,
      `"confidence_penalty"`, `"negative_smoothing"`
    - Functions: `"smoothed_cross_entropy"`, `"linear_smoothed_ce"`
    - Smoothings: `"uniform"`, `"unigram"` (with `counts`), `"prior"` (with `probabilities`),
      `"neighborhood"`

    Args:
        identifier: One of these names; what `serialize` or `keras.losses.serialize` returned; or a
            loss, smoothing or function, which is returned as it is.
        **options: Arguments of the class that the name stands for.

    Raises:
        InputError: If there is no such name (with near matches), if the class doesn't take the
            options, or if the identifier is something else.

    Example:
    ```python
    >>> import ls_keras
    >>> for name in ("smoothed_ce", "max_sup", "focal_ce"):
    ...     loss = ls_keras.losses.get(name, from_logits=True)
    ...     print(name, round(float(loss([0], [[2.0, 0.0]])), 4))
    smoothed_ce 0.2269
    max_sup 0.2269
    focal_ce 0.0002
    >>> ls_keras.losses.get("neighborhood")
    Neighborhood(weights=[5.0, 2.0])
    >>> ls_keras.losses.get("smooth_ce")
    Traceback (most recent call last):
    ls_base.errors.InputError: Expected the name of a loss or smoothing. Near matches: ...

    ```
    """
    return _checked(named(identifier, options, NAMES, _KIND), identifier)


def serialize(value) -> dict:
    """Returns the configuration that `deserialize` and `get` read.

    Args:
        value: A loss, a smoothing, or a registered function such as `smoothed_cross_entropy`.

    Raises:
        InputError: If it is something else.

    Example:
    ```python
    >>> from ls_keras.losses import Uniform, deserialize, serialize
    >>> deserialize(serialize(Uniform(exclude=[0])))
    Uniform(exclude=[0])

    ```
    """
    function = inspect.isfunction(value) and _is_registered(value)
    if not isinstance(value, keras.losses.Loss | Smoothing) and not function:
        raise InputError(f"Expected {_KIND}, or a registered function. Received: {shown(value)}")
    return keras.saving.serialize_keras_object(value)


def deserialize(config: dict, custom_objects: dict | None = None):
    """Returns the loss, smoothing or function that `serialize` wrote.

    Args:
        config: What `serialize` returned.
        custom_objects: Classes by name, for those that are not registered.

    Raises:
        InputError: If it is something else.
    """
    return _checked(from_config(config, _KIND, custom_objects), config)


def _is_registered(function) -> bool:
    name = keras.saving.get_registered_name(function)
    return keras.saving.get_registered_object(name) is function


def _checked(found, identifier):
    if isinstance(found, keras.losses.Loss | Smoothing) or inspect.isfunction(found):
        return found
    raise InputError(
        f"Expected {_KIND}: its name, configuration or object. Received: {shown(identifier)}"
    )

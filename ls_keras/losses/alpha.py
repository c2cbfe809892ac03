"""The rate of a loss (α, β or r): a number, one per class, one per example, or a variable.

Also the conversions between the two conventions of label smoothing, α/K and ε/(K − 1).
"""

import math
import numbers
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.backend.keras_internals import is_argument
from ls_keras.backend.tensors import (
    as_array,
    as_tensor,
    in_shape_inference,
    is_tracing,
    tensor_of,
    to_numpy_or_none,
)
from ls_keras.errors import InputError, shown
from ls_keras.inputs.targets import Targets
from ls_keras.inputs.validation import as_count, as_number

PER_EXAMPLE = "per-example"
_ROUNDING = 1e-5  # of a sum in float32


def alpha_from_off_target(epsilon: float, num_classes: int) -> float:
    """Converts ε, where each wrong class gets ε/(K − 1), into the paper's alpha.

    α = ε · K / (K − 1)

    The target keeps 1 − ε = 1 − α + α/K.

    Args:
        epsilon: The mass off the target, between 0 and (K − 1)/K, as tensor2tensor, TF Model
            Garden, OpenNMT-tf, ESPnet, SpeechBrain and fairseq define it.
        num_classes: K, at least 2.

    Returns:
        Alpha: each class, including the target, gets α/K.

    Raises:
        InputError: If epsilon is not a number in [0, 1], if K < 2, or if alpha would exceed 1:
            then the target would get less than each of the other classes.

    Example:
    ```python
    >>> import ls_keras
    >>> round(ls_keras.alpha_from_off_target(0.1, num_classes=5), 6)
    0.125

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1, defines α/K.
    """
    epsilon = as_number(epsilon, "epsilon", low=0, high=1)
    num_classes = _check_num_classes(num_classes)
    alpha = epsilon * num_classes / (num_classes - 1)
    if alpha > 1:
        raise InputError(
            f"Expected epsilon ≤ (K − 1)/K = {(num_classes - 1) / num_classes:.6g}, so that "
            f"alpha = ε·K/(K − 1) ≤ 1. Received: epsilon={epsilon} with {num_classes} classes, "
            f"which gives alpha={alpha:.6g}"
        )
    return alpha


def off_target_from_alpha(alpha: float, num_classes: int) -> float:
    """Converts the paper's alpha into ε, where each wrong class gets ε/(K − 1).

    ε = α · (K − 1) / K

    Args:
        alpha: Between 0 and 1; each class gets α/K.
        num_classes: K, at least 2.

    Returns:
        Epsilon, the mass off the target.

    Raises:
        InputError: If alpha is not a number in [0, 1] or if K < 2.

    Example:
    ```python
    >>> import ls_keras
    >>> round(ls_keras.off_target_from_alpha(0.125, num_classes=5), 6)
    0.1

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """
    num_classes = _check_num_classes(num_classes)
    return as_number(alpha, "alpha", low=0, high=1) * (num_classes - 1) / num_classes


def _check_num_classes(num_classes) -> int:
    return as_count(num_classes, "num_classes", 2, 2**53)  # integers that float64 represents


class RateBounds(NamedTuple):
    """The name of a loss's rate, and the interval of its values.

    Attributes:
        name: The loss's attribute and argument.
        low: Lower bound.
        high: Upper bound.
    """

    name: str = "alpha"
    low: float = 0.0
    high: float = 1.0

    def validate(self, value) -> Any:
        """Returns a float, a float64 array `(K,)`, `"per-example"` or a `keras.Variable`.

        Raises:
            InputError: If the value is something else, or out of bounds.
        """
        if isinstance(value, keras.Variable) or _is_per_example(value):
            return value
        if not isinstance(value, list | tuple | np.ndarray) and not ops.is_tensor(value):
            return as_number(value, self.name, low=self.low, high=self.high)
        array = as_array(value, self.name).astype(np.float64)
        if array.ndim != 1 or array.size < 2:
            raise InputError(
                f"Expected {self.name} to be a number, numbers of shape (K,), one per class, or "
                f"{PER_EXAMPLE!r}. Received: {shown(value)}"
            )
        self._check_values(array)
        array.setflags(write=False)
        return array

    def validate_tensor(self, value) -> Any:
        """Returns a float, `"per-example"`, or a tensor, whose values are checked in eager use.

        For functions, whose rates may be tensors that are being traced.
        """
        if isinstance(value, numbers.Number | str | bytes | dict | set) or value is None:
            return self.validate(value)
        tensor = as_tensor(value, self.name)
        known = to_numpy_or_none(tensor)
        if known is not None:
            self._check_values(known)
        return tensor

    def at_positions(self, rate, targets: Targets, z):
        """Returns the rate of each position: a number, a scalar tensor or a tensor `(...)`.

        Args:
            rate: A number; a variable or tensor: a scalar, `(K,)` per class, or `(..., 1)` per
                position; or `"per-example"`: the numbers that came with the targets.
            targets: With labels y, the rate of a position is that of class y; with dense targets,
                Σ_k y_k · rate_k.
            z: Tensor `(..., K)`; only its shape and dtype are used.

        Raises:
            InputError: If targets have rates that the loss does not use, or lack those that it
                needs; if the shape doesn't fit or, in eager use, a rate of an example is out of
                bounds. In a graph, such a rate becomes NaN.
        """
        if _is_per_example(rate):
            if targets.alpha is None:
                raise InputError(
                    f"Expected y_true of ls_keras.losses.with_alpha(y_true, alpha) for "
                    f"{self.name}={PER_EXAMPLE!r}. Received: y_true without numbers beside it"
                )
            self._check_if_known(targets.alpha, targets)
            return self._within_bounds(targets.alpha, targets, z)
        refuse_alpha(targets, f"{self.name}='{PER_EXAMPLE}'")
        if isinstance(rate, numbers.Real):
            return rate
        if isinstance(rate, keras.Variable):
            self.refuse_constant(rate, z)
        rate = ops.cast(tensor_of(rate), z.dtype)
        shape, num_classes = tuple(rate.shape), z.shape[-1]
        if shape and shape == (num_classes,):
            if targets.labels is not None:
                rate = ops.take(rate, targets.labels, axis=0)
            else:
                rate = ops.sum(ops.cast(targets.dense, z.dtype) * rate, axis=-1)
                # Targets that sum to 1 may round above it.
                rounded = ops.logical_and(rate > self.high, rate <= self.high + _ROUNDING)
                rate = ops.where(rounded, self.high, rate)
                self._check_if_known(rate, targets)
        elif shape:
            if len(shape) != len(z.shape) or shape[-1] != 1:
                raise InputError(
                    f"Expected {self.name} to be a number, of shape ({num_classes},), one per "
                    f"class, or of shape (..., 1), one per position. "
                    f"Received: {self.name} of shape {shape}"
                )
            like = targets.dense[..., 0] if targets.labels is None else targets.labels
            rate = ops.broadcast_to(rate[..., 0], ops.shape(like))
        return self._within_bounds(rate, targets, z)

    def refuse_constant(self, variable: keras.Variable, z) -> None:
        """JAX compiles a variable that is not an argument of the step as a constant."""
        if keras.config.backend() != "jax" or in_shape_inference():
            return
        if is_tracing(z) and not is_argument(variable):
            raise InputError(
                f"Expected the variable {self.name} among the variables of the compiled model: on "
                "JAX it would be a constant. In fit, AlphaSchedule adds it to the model; in your "
                f"own step, call the loss in keras.StatelessScope([(loss.{self.name}, value)]). "
                "Received: a variable that is not an argument of the compiled function"
            )

    def _within_bounds(self, rate, targets: Targets, z):
        rate = ops.cast(rate, z.dtype)
        if targets.valid is not None and len(rate.shape):
            rate = ops.where(targets.valid, rate, 0.0)
        within = ops.logical_and(rate >= self.low, rate <= self.high)
        within = ops.logical_and(within, ops.isfinite(rate))
        return ops.stop_gradient(ops.where(within, rate, float("nan")))

    def _check_if_known(self, rate, targets: Targets) -> None:
        known = to_numpy_or_none(rate)
        if known is not None:
            counted: Any = True if targets.valid is None else to_numpy_or_none(targets.valid)
            self._check_values(np.where(counted, known, 0.0))

    def _check_values(self, values: np.ndarray) -> None:
        values = np.asarray(values, np.float64)
        off = ~(np.isfinite(values) & (values >= self.low) & (values <= self.high))
        if off.any():
            high = "" if self.high == math.inf else f" ≤ {self.high:g}"
            low = "" if self.low == -math.inf else f"{self.low:g} ≤ "
            raise InputError(
                f"Expected finite {low}{self.name}{high}. "
                f"Received: {self.name}={values[off].flat[0]:g} among {int(off.sum())} out of range"
            )


ALPHA = RateBounds()


def rate_config(rate) -> float | list | str:
    """Returns a rate as a JSON configuration stores it; of a variable, its current value."""
    if _is_per_example(rate):
        return PER_EXAMPLE
    value = ops.convert_to_numpy(rate) if isinstance(rate, keras.Variable) else rate
    return np.asarray(value).tolist()


def refuse_alpha(targets: Targets, instead: str) -> None:
    """Raises an `InputError` if targets come with numbers that the loss would ignore."""
    if targets.alpha is not None:
        raise InputError(
            f"Expected y_true without numbers beside it, or a loss with {instead}. "
            "Received: y_true of ls_keras.losses.with_alpha"
        )


def _is_per_example(value) -> bool:
    return isinstance(value, str) and value == PER_EXAMPLE

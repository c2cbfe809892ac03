"""The rate of a loss, α above all: a number, or one for each class or position.

A number stays one, and costs nothing. Anything else becomes a tensor, a scalar or `(...)`, without
a gradient. Where it is 0 there is nothing, not NaN, whatever it multiplies: as without it.
"""

import math
import numbers
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tracing import concrete
from ls_keras.inputs.targets import Targets
from ls_keras.inputs.validation import as_array, as_number, as_tensor, shown
from ls_keras.losses.alpha_conversions import check_fraction

PER_EXAMPLE = "per-example"
_ROUNDING = 1e-5  # of a sum of float32


class Bounds(NamedTuple):
    """What a rate is called, and between which numbers it lies.

    Attributes:
        name: As the loss calls it.
        low: Its lower bound.
        high: Its upper bound.
    """

    name: str = "alpha"
    low: float = 0.0
    high: float = 1.0

    def number(self, value) -> float:
        """Returns a number within the bounds, or raises an InputError."""
        if (self.low, self.high) == (0, 1):
            return check_fraction(value, self.name)
        return as_number(value, self.name, low=self.low, high=self.high)

    def fixed(self, value) -> float | np.ndarray | str:
        """Returns a number, float64 numbers `(K,)`, or `"per-example"`.

        Raises:
            InputError: If it is something else, or out of bounds.
        """
        if isinstance(value, str) and value == PER_EXAMPLE:
            return PER_EXAMPLE
        if not isinstance(value, list | tuple | np.ndarray) and not ops.is_tensor(value):
            return self.number(value)
        array = as_array(value, self.name).astype(np.float64)
        if array.ndim != 1 or array.size < 2:
            raise InputError(
                f"Expected {self.name} to be a number, numbers of shape (K,), one a class, or "
                f"{PER_EXAMPLE!r}. Received: {shown(value)}"
            )
        self._check(array)
        array.setflags(write=False)
        return array

    def tensor(self, value):
        """Returns a number as it is, `"per-example"`, or a tensor whose values are looked at.

        For functions, whose rates may be tensors that are being traced.
        """
        if isinstance(value, numbers.Number | str | bytes | dict | set) or value is None:
            return self.fixed(value)
        tensor = as_tensor(value, self.name)
        known = concrete(tensor)
        if known is not None:
            self._check(known)
        return tensor

    def at_positions(self, rate, targets: Targets, z):
        """Returns the rate where the losses are: a number, a scalar tensor or one of shape `(...)`.

        Args:
            rate: A number; `"per-example"`, which came with the targets; or a tensor: a scalar,
                `(K,)` by class, or `(..., 1)` by position.
            targets: Of labels y, a class's rate is that of y; of dense targets, it is
                Σ_k y_k · rate_k.
            z: Tensor `(..., K)`, of which shape and dtype count.

        Raises:
            InputError: If targets bring rates that aren't asked for, or don't bring those that are;
                if the shape is another or, in eager use, if a rate that came along is out of
                bounds. In a graph, what is out of bounds becomes NaN.
        """
        if isinstance(rate, str):
            if targets.alpha is None:
                raise InputError(
                    f"Expected y_true of ls_keras.losses.with_alpha(y_true, alpha) for "
                    f"{self.name}={PER_EXAMPLE!r}. Received: y_true without numbers beside it"
                )
            self._check_known(targets.alpha, targets)
            return self._within(targets.alpha, targets, z)
        refuse_alpha(targets, f"{self.name}='{PER_EXAMPLE}'")
        if isinstance(rate, numbers.Real):
            return rate
        rate = ops.cast(ops.convert_to_tensor(rate), z.dtype)
        shape, classes = tuple(rate.shape), z.shape[-1]
        if shape and shape == (classes,):
            if targets.labels is not None:
                rate = ops.take(rate, targets.labels, axis=0)
            else:
                rate = ops.sum(ops.cast(targets.dense, z.dtype) * rate, axis=-1)
                # Targets that are to sum to 1 round above.
                rounded = ops.logical_and(rate > self.high, rate <= self.high + _ROUNDING)
                rate = ops.where(rounded, self.high, rate)
                self._check_known(rate, targets)
        elif shape:
            if len(shape) != len(z.shape) or shape[-1] != 1:
                raise InputError(
                    f"Expected {self.name} to be a number, of shape ({classes},), one a class, or "
                    f"of shape (..., 1), one a position. Received: {self.name} of shape {shape}"
                )
            like = targets.dense[..., 0] if targets.labels is None else targets.labels
            rate = ops.broadcast_to(rate[..., 0], ops.shape(like))
        return self._within(rate, targets, z)

    def _within(self, rate, targets: Targets, z):
        rate = ops.cast(rate, z.dtype)
        if targets.valid is not None and len(rate.shape):
            rate = ops.where(targets.valid, rate, 0.0)
        within = ops.logical_and(rate >= self.low, rate <= self.high)
        within = ops.logical_and(within, ops.isfinite(rate))
        return ops.stop_gradient(ops.where(within, rate, float("nan")))

    def _check_known(self, rate, targets: Targets) -> None:
        known = concrete(rate)
        if known is not None:
            counted: Any = True if targets.valid is None else concrete(targets.valid)
            self._check(np.where(counted, known, 0.0))

    def _check(self, values: np.ndarray) -> None:
        values = np.asarray(values, np.float64)
        off = ~(np.isfinite(values) & (values >= self.low) & (values <= self.high))
        if off.any():
            high = "" if self.high == math.inf else f" ≤ {self.high:g}"
            low = "" if self.low == -math.inf else f"{self.low:g} ≤ "
            raise InputError(
                f"Expected finite {low}{self.name}{high}. "
                f"Received: {self.name}={values[off].flat[0]:g} among {int(off.sum())} out of range"
            )


ALPHA = Bounds()


def refuse_alpha(targets: Targets, instead: str) -> None:
    """Raises an InputError if targets bring numbers that nothing would read."""
    if targets.alpha is not None:
        raise InputError(
            f"Expected y_true without numbers beside it, or a loss with {instead}. "
            "Received: y_true of ls_keras.losses.with_alpha"
        )


def is_zero(rate) -> bool:
    """Returns whether a rate is the number 0; a tensor may become another."""
    return isinstance(rate, numbers.Real) and not rate


def scaled(rate, values):
    """Computes rate · values `(...)`."""
    if isinstance(rate, numbers.Real):
        return rate * values
    return ops.where(ops.equal(rate, 0), 0.0, rate * values)  # 0 · inf is NaN


def by_class(rate) -> Any:
    """Returns a rate that multiplies tensors `(..., K)`."""
    return rate if isinstance(rate, numbers.Real) or not len(rate.shape) else rate[..., None]


def filled(like, rate, dtype):
    """Returns weights of a shape `(..., J)`, all of the rate."""
    if isinstance(rate, numbers.Real):
        return ops.full(ops.shape(like), rate, dtype=dtype)
    return ops.broadcast_to(ops.cast(by_class(rate), dtype), ops.shape(like))

"""Temperature scaling mixed with the uniform distribution, so that no probability is 0."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ls_keras.calibration.scaling.recalibration import (
    Recalibration,
    mixed_log_softmax,
    read_fit_examples,
)
from ls_keras.calibration.scaling.temperature import check_options, fit_examples
from ls_keras.inputs.numpy_examples import HostExamples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.layers import MixedTemperature


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MixedTemperatureFit(Recalibration):
    """Result of `fit_mixed_temperature`; `Recalibration` documents its scores.

    Attributes:
        temperature: T.
        mixing: ε = 1/(n + 1).
        at_bound: `"lower"` if no example is wrong, `"upper"` if the best T is above the bounds.
    """

    temperature: float
    mixing: float
    at_bound: Literal["lower", "upper"] | None = None

    def scale_logits(self, z: np.ndarray) -> np.ndarray:
        """Returns log((1 − ε) softmax(z/T) + ε/K)."""
        return mixed_log_softmax(z, self.temperature, self.mixing)

    def make_layer(self, name: str) -> MixedTemperature:
        """Returns a `MixedTemperature` layer."""
        return MixedTemperature(self.temperature, self.mixing, name=name)


def fit_mixed_temperature(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    bounds: tuple[float, float] = (1e-2, 1e2),
    tolerance: float = 1e-5,
    num_bins: int = 15,
) -> MixedTemperatureFit:
    r"""Fits a temperature and mixes the result with the uniform distribution ("ts-mix").

    $$q = \Bigl(1 - \frac{1}{n+1}\Bigr)\,\mathrm{softmax}(z/T) + \frac{1}{(n+1)\,K}$$

    T is that of `fit_temperature` (the optimum of the NLL before mixing), n the number of examples
    that count. If all n are right, the best T is 0, which gives every new prediction a probability
    of 1, so that the first error costs infinitely much: here it costs at most log((n + 1) K) nats.
    If some are wrong, the effect of mixing is smaller than the noise of T.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities, whose logarithms are then z, or logits. A class
            with logit −inf keeps probability 0; the others share 1/(n + 1).
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes.
        mask: Boolean, of the shape of the labels; false where a position does not count.
        ignore_class: Label id, or several, whose positions do not count.
        bounds: Lower and upper bound of T.
        tolerance: Relative error allowed in T.
        num_bins: Number of bins of the ECE.

    Returns:
        A `MixedTemperatureFit`, for `calibrated`, `logits` or `probabilities`.

    Raises:
        InputError: As `fit_temperature`.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration import fit_mixed_temperature
        >>> fit = fit_mixed_temperature([0, 1, 0], np.eye(2)[[0, 1, 0]], from_logits=True)
        >>> fit.at_bound, fit.probabilities([[0.9, 0.1]]).round(3)  # mixes 1/(4 · 2)
        ('lower', array([[0.875, 0.125]]))

    References:
        Berta, Holzmüller, Jordan, Bach, *Rethinking Early Stopping: Refine, Then Calibrate*, 2025
        (arXiv 2501.19195); its package `probmetrics`.
    """
    check_options("nll", bounds, tolerance, num_bins)
    examples = read_fit_examples(y_true, y_pred, from_logits, sample_weight, mask, ignore_class)
    return mix_examples(examples, bounds, tolerance, num_bins)


def mix_examples(
    examples: HostExamples,
    bounds: tuple[float, float] = (1e-2, 1e2),
    tolerance: float = 1e-5,
    num_bins: int = 15,
) -> MixedTemperatureFit:
    """Fits examples that have been read already; see `fit_mixed_temperature`."""
    start = fit_examples(examples, "nll", bounds, tolerance, num_bins)
    unscored = MixedTemperatureFit(
        temperature=start.temperature,
        mixing=1 / (len(examples) + 1),
        nll_before=start.nll_before,
        nll_after=float("nan"),
        ece_before=start.ece_before,
        ece_after=float("nan"),
        num_examples=len(examples),
        at_bound=start.at_bound,
    )
    return unscored.with_scores(examples, num_bins)

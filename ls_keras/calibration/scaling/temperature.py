"""Temperature scaling: one number that divides the logits, fitted on held-out examples."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ls_keras.backend.warnings import warn_caller
from ls_keras.calibration.scaling.recalibration import Recalibration, read_fit_examples
from ls_keras.calibration.scaling.temperature_search import (
    Evaluate,
    SearchResult,
    TemperedSums,
    check_bounds,
    search_ece,
    search_nll,
    tempered_sums,
)
from ls_keras.inputs.numpy_examples import HostExamples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_choice, as_number
from ls_keras.layers import Temperature
from ls_keras.metrics.binning import check_num_bins

Objective = Literal["nll", "ece"]

# The optimum of a sample of this size is within 1–2 % of that of all data, from where two Newton
# steps reach 1e-6; the search on the sample costs less than one pass over 50,000 examples.
_SAMPLE = 4096
_NORMAL_975 = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, kw_only=True, repr=False)
class TemperatureFit(Recalibration):
    """Result of a temperature fit; `Recalibration` documents its scores.

    Attributes:
        temperature: T; calibrated probabilities are `softmax(logits / T)`, with `multi_label`
            `sigmoid(logits / T)`.
        interval: 95 % interval of T, `(low, high)`; `high` is infinite if the data exclude no large
            T. Examples count as independent: tokens of one sentence make it too narrow (see
            `diagnose`). NaN at a bound, for equal logits, and with `objective="ece"`.
        objective: `"nll"` or `"ece"`: the quantity that was minimized.
        iterations: Passes over the data: one at T = 1 and those of the search.
        converged: Whether the search found the optimum within the bounds.
        at_bound: `"lower"` if the optimum is at or below the lower bound of T (no example is
            wrong), `"upper"` if at or above the upper bound (worse than chance), else `None`.
        flat: Whether all logits are equal (of sigmoids: 0), so that every T is as good; T is 1.
        multi_label: Whether the fit is for sigmoids.
    """

    temperature: float
    interval: tuple[float, float] = (math.nan, math.nan)
    objective: Objective = "nll"
    iterations: int
    converged: bool
    at_bound: Literal["lower", "upper"] | None = None
    flat: bool = False
    multi_label: bool = False

    def scale_logits(self, z: np.ndarray) -> np.ndarray:
        """Returns z/T."""
        return z / self.temperature

    def make_layer(self, name: str) -> Temperature:
        """Returns a `Temperature` layer."""
        return Temperature(self.temperature, name=name)


def fit_temperature(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
    objective: Objective = "nll",
    bounds: tuple[float, float] = (1e-2, 1e2),
    tolerance: float = 1e-5,
    num_bins: int = 15,
) -> TemperatureFit:
    r"""Fits the temperature T of `softmax(logits / T)` on held-out examples.

    $$\min_T \; \frac{\sum_i w_i \left[\log\sum_k e^{z_{ik}/T} - z_{i y_i}/T\right]}{\sum_i w_i}$$

    The NLL is convex in 1/T, so a Newton search inside a bracket always converges, without a
    learning rate. The ECE is neither convex nor continuous: it is minimized over 200 log-spaced
    temperatures in one pass, then on two finer grids around the best. The largest logit stays the
    largest, so accuracy does not change.

    With `multi_label`, one T of `sigmoid(logits / T)` for all K labels minimizes
    $\sum_i w_i [\log(1 + e^{z_i/T}) - y_i z_i/T]$, which is the same with the two logits 0 and z.
    The ECE is then that of the probability of label 1.

    Sums are in float64; logits are not copied (those of sigmoids are, in pairs), temporary memory
    is a few MiB.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`. With
            `multi_label`, labels in [0, 1] of the shape of `y_pred`, or `(...)` for `(..., 1)`.
        y_pred: `(..., K)`, K ≥ 2, of any floating dtype, as tensor or array: probabilities, whose
            logarithms are then z; or logits, in which −inf may mask classes. With `multi_label`,
            K ≥ 1, and z is log p − log(1 − p) of probabilities.
        from_logits: Whether `y_pred` are logits. Log-probabilities are. Default: `False`, as in
            Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes; examples of
            weight 0 do not count, whatever their logits.
        mask: Boolean, of the shape of the labels; false where a position does not count.
        ignore_class: Label id, or several, whose positions do not count, such as padding.
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example:
            `(batch, 1)` for a binary model. Default: `False`.
        objective: Quantity to minimize: `"nll"` or `"ece"`.
        bounds: Lower and upper bound of T.
        tolerance: Relative error allowed in T with `objective="nll"`.
        num_bins: Number of bins of the ECE.

    Returns:
        A `TemperatureFit`.

    Raises:
        InputError: If no example counts; if logits hold NaN or +inf, or −inf at a label; if
            probabilities are not in [0, 1] or do not sum to 1; if weights are negative or bounds
            are crossed.

    Warns:
        UserWarning: If the best T is at a bound, for instance because every prediction is right:
            such a T means nothing for new examples.

    Example:
        Nine of ten examples are right, at a confidence of 0.98; after the fit it is 0.9.

        >>> import numpy as np
        >>> from ls_keras.calibration import fit_temperature
        >>> logits = np.tile([4.0, 0.0], (10, 1))
        >>> y_true = np.array([0] * 9 + [1])
        >>> fit = fit_temperature(y_true, logits, from_logits=True)
        >>> round(fit.temperature, 4), round(float(4 / np.log(9)), 4)
        (1.8205, 1.8205)
        >>> round(fit.ece_before, 3), abs(round(fit.ece_after, 3))
        (0.082, 0.0)

    References:
        - Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (arXiv 1706.04599)
        - Müller et al., When Does Label Smoothing Help?, NeurIPS 2019 (arXiv 1906.02629), section 3
    """
    check_options(objective, bounds, tolerance, num_bins)
    examples = read_fit_examples(
        y_true, y_pred, from_logits, sample_weight, mask, ignore_class, multi_label
    )
    fit = fit_examples(examples, objective, bounds, tolerance, num_bins)
    warn_at_bound(fit)
    return fit


def fit_examples(
    examples: HostExamples,
    objective: Objective = "nll",
    bounds: tuple[float, float] = (1e-2, 1e2),
    tolerance: float = 1e-5,
    num_bins: int = 15,
) -> TemperatureFit:
    """Fits examples that have been read already; see `fit_temperature`."""

    def evaluate(betas, moments: bool) -> TemperedSums:
        return tempered_sums(examples, betas, moments=moments, num_bins=num_bins)

    def start() -> float:
        stride = len(examples) // _SAMPLE
        return 1.0 if stride < 2 else warm_start(examples.every(stride), bounds)

    sigmoids = examples.positive is not None
    return search(evaluate, start, objective, bounds, tolerance, multi_label=sigmoids)


def search(
    evaluate: Evaluate,
    start: Callable[[], float],
    objective: Objective,
    bounds: tuple[float, float],
    tolerance: float,
    *,
    multi_label: bool = False,
) -> TemperatureFit:
    """Runs a whole fit: a pass at T = 1, a start value, the search over all data.

    Args:
        evaluate: One pass over all data.
        start: Called after the pass at T = 1; returns the first β of an NLL search.
        objective: `"nll"` or `"ece"`.
        bounds: Lower and upper bound of T.
        tolerance: Relative error allowed in T.
        multi_label: Whether the data are sigmoids; stored in the fit.
    """
    before = evaluate([1.0], False)
    if before.flat:
        beta = min(max(1.0, 1 / bounds[1]), 1 / bounds[0])
        found = SearchResult(beta, before, 0, True, None)
    elif objective == "nll":
        found = search_nll(evaluate, start=start(), bounds=bounds, tolerance=tolerance)
    else:
        found = search_ece(evaluate, bounds=bounds)
    return TemperatureFit(
        temperature=1 / found.beta,
        interval=_interval(found),
        objective=objective,
        nll_before=float(before.nll[0]),
        nll_after=float(found.sums.nll[0]),
        ece_before=float(before.ece[0]),
        ece_after=float(found.sums.ece[0]),
        num_examples=before.count,
        iterations=1 + found.passes,
        converged=found.converged,
        at_bound=found.at_bound,  # type: ignore[arg-type]
        flat=before.flat,
        multi_label=multi_label,
    )


def _interval(found: SearchResult) -> tuple[float, float]:
    """Returns β̂ ± 1.96 standard errors as T: noise of the slope over the curvature (sandwich)."""
    curvature, square = float(found.sums.curvature[0]), float(found.sums.square[0])
    if found.at_bound or not curvature > 0:
        return math.nan, math.nan
    error = _NORMAL_975 * math.sqrt(square) / curvature
    high = found.beta - error
    return 1 / (found.beta + error), 1 / high if high > 0 else math.inf


def warn_at_bound(fit: TemperatureFit) -> None:
    """Warns that a temperature at a bound means nothing for new examples."""
    if fit.at_bound:
        why = (
            "no prediction is wrong"
            if fit.at_bound == "lower"
            else "the predictions are no better than chance"
        )
        warn_caller(
            f"The best temperature is at the {fit.at_bound} bound, T = {fit.temperature:g}, on "
            f"{fit.num_examples:,} examples: {why}. Fit on more held-out examples, or use "
            "fit_mixed_temperature."
        )


def check_options(objective, bounds, tolerance: float, num_bins: int) -> None:
    """Raises an `InputError` unless the options of a fit are valid."""
    as_choice(objective, "objective", ("nll", "ece"))
    check_bounds(bounds)
    as_number(tolerance, "tolerance", low=0, above=True)
    check_num_bins(num_bins)


def warm_start(sample: HostExamples, bounds: tuple[float, float]) -> float:
    """Returns the best β of a sample of the data, to 1e-3."""
    found = search_nll(
        lambda betas, moments: tempered_sums(sample, betas, moments=moments),
        start=1.0,
        bounds=bounds,
        tolerance=1e-3,
    )
    return found.beta

"""Temperature scaling: one number that divides the logits, fitted on held-out examples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ls_base.brief_repr import BriefRepr
from ls_keras.calibration.scaling.temperature_search import (
    Evaluate,
    Found,
    check_bounds,
    search_ece,
    search_nll,
)
from ls_keras.calibration.scaling.temperature_sums import TemperedSums, tempered_sums
from ls_keras.inputs.numpy_examples import HostExamples, check_any_counts, read_host_examples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_choice, as_number
from ls_keras.metrics.binning import check_num_bins

Objective = Literal["nll", "ece"]

# A sample of so many examples is within 1–2 % of the optimum, from where two Newton steps on all
# the data reach 1e-6; the search on the sample costs less than one pass over 50,000 examples.
_SAMPLE = 4096


@dataclass(frozen=True, repr=False)
class TemperatureFit(BriefRepr):
    """What a temperature fit found.

    Attributes:
        temperature: T; calibrated probabilities are `softmax(logits / T)`, with `multi_label`
            `sigmoid(logits / T)`.
        objective: `"nll"` or `"ece"`, what was minimized.
        nll_before: Mean negative log-likelihood at T = 1, nats an example, on the fitted examples.
        nll_after: The same at `temperature`.
        ece_before: Expected calibration error at T = 1, on the fitted examples.
        ece_after: The same at `temperature`.
        num_examples: Examples that counted (not ignored, not masked, weight above 0).
        iterations: Passes over the data: the one at T = 1 and those of the search.
        converged: Whether the optimum within the bounds was found.
        at_bound: `"lower"` where the optimum lies at or below the lower bound of T (no example is
            wrong), `"upper"` where at or above the upper one (worse than chance), or `None`.
        flat: Whether all logits are equal (of sigmoids, 0), so that every T is as good; T = 1 then.
        multi_label: Whether it is a fit of sigmoids.
    """

    temperature: float
    objective: Objective
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float
    num_examples: int
    iterations: int
    converged: bool
    at_bound: Literal["lower", "upper"] | None = None
    flat: bool = False
    multi_label: bool = False

    @property
    def objective_before(self) -> float:
        """The minimized quantity at T = 1."""
        return self.nll_before if self.objective == "nll" else self.ece_before

    @property
    def objective_after(self) -> float:
        """The minimized quantity at `temperature`."""
        return self.nll_after if self.objective == "nll" else self.ece_after


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

    The NLL is convex in 1/T, so a Newton search inside a bracket always converges; it needs no
    learning rate. The ECE is neither convex nor continuous: it is minimized over 200 log-spaced
    temperatures, read in one pass, and twice again near the best. The largest logit stays the
    largest, so accuracy does not change.

    With `multi_label`, it is the T of `sigmoid(logits / T)`, one for all K labels, that minimizes
    $\sum_i w_i [\log(1 + e^{z_i/T}) - y_i z_i/T]$: the same with the two logits 0 and z. The ECE is
    that of the label 1's probability.

    Sums are in float64; logits are never copied (those of sigmoids are, in pairs), temporary memory
    is a few MiB.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`. With
            `multi_label`, labels in [0, 1] of the shape of `y_pred`, or `(...)` for `(..., 1)`.
        y_pred: `(..., K)`, K ≥ 2, of any floating dtype, as tensor or array: probabilities, whose
            logarithms are then z; or logits, which −inf may mask classes of. With `multi_label`,
            K ≥ 1, and z is log p − log(1 − p) of probabilities.
        from_logits: Whether `y_pred` are logits. Log-probabilities are. Default: `False`, as in
            Keras.
        sample_weight: Weights of the shape of the labels, or of their leading axes; examples of
            weight 0 do not count, whatever their logits.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            `(batch, 1)` for a binary model. Default: `False`.
        objective: `"nll"`, or `"ece"`.
        bounds: Lower and upper bound of T.
        tolerance: Relative error of T allowed with `objective="nll"`.
        num_bins: Bins of the ECE.

    Returns:
        A `TemperatureFit`.

    Raises:
        InputError: If no example counts; if logits hold NaN or +inf, or −inf at a label; if
            probabilities are none; if weights are negative or bounds crossed.

    Example:
        Nine of ten examples are right, at a confidence of 0.98; after the fit it is 0.9.

        >>> import numpy as np
        >>> from ls_keras.calibration.scaling.temperature import fit_temperature
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
    examples = read_host_examples(
        y_true,
        y_pred,
        from_logits=from_logits,
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
        multi_label=multi_label,
    )
    check_any_counts(examples)
    return fit_examples(examples, objective, bounds, tolerance, num_bins)


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
    """Runs a whole fit: T = 1, a start, the search over all the data.

    Args:
        evaluate: One pass over all the data.
        start: Called after the pass at T = 1, for the first β of an NLL search.
        objective: `"nll"` or `"ece"`.
        bounds: Lower and upper bound of T.
        tolerance: Relative error of T.
        multi_label: Whether the data are sigmoids, to be told with the fit.
    """
    before = evaluate([1.0], False)
    if before.flat:
        found = Found(min(max(1.0, 1 / bounds[1]), 1 / bounds[0]), before, 0, True, None)
    elif objective == "nll":
        found = search_nll(evaluate, start=start(), bounds=bounds, tolerance=tolerance)
    else:
        found = search_ece(evaluate, bounds=bounds)
    return TemperatureFit(
        temperature=1 / found.beta,
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


def check_options(objective, bounds, tolerance: float, num_bins: int) -> None:
    """Raises an `InputError` unless the options of a fit are what they should be."""
    as_choice(objective, "objective", ("nll", "ece"))
    check_bounds(bounds)
    as_number(tolerance, "tolerance", low=0, above=True)
    check_num_bins(num_bins)


def warm_start(sample: HostExamples, bounds: tuple[float, float]) -> float:
    """Returns the β that is best for a sample of the data, to 1e-3."""
    found = search_nll(
        lambda betas, moments: tempered_sums(sample, betas, moments=moments),
        start=1.0,
        bounds=bounds,
        tolerance=1e-3,
    )
    return found.beta

"""Vector scaling: a scale and a bias for every class, fitted on held-out examples."""

from dataclasses import dataclass

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.calibration.scaling.temperature import fit_examples
from ls_keras.calibration.scaling.temperature_sums import bin_sums
from ls_keras.inputs.numpy_examples import (
    HostExamples,
    blocks,
    check_any_counts,
    in_threads,
    read_host_examples,
    read_rows,
)
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_number
from ls_keras.metrics.binning import check_num_bins

_UNLIKELY = 100.0  # nats below the largest, at the fitted temperature
_CHUNK = 1 << 19  # elements of float64 that one thread takes at a time


@dataclass(frozen=True, eq=False, repr=False)
class VectorFit(BriefRepr):
    """What a vector-scaling fit found: calibrated logits are `scale * logits + bias`.

    Attributes:
        scale: float64 `(K,)`.
        bias: float64 `(K,)`, of mean 0, since a common shift changes no probability.
        nll_before: Mean negative log-likelihood before, nats an example, on the fitted examples.
        nll_after: The same after.
        ece_before: Expected calibration error before.
        ece_after: The same after.
        num_examples: Examples that counted.
        iterations: Iterations of L-BFGS.
        converged: Whether the gradient's largest entry came below the tolerance. False where no
            prediction is wrong, or none at a T of 0.01: the best scale is infinite, or beyond it.
    """

    scale: np.ndarray
    bias: np.ndarray
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float
    num_examples: int
    iterations: int
    converged: bool


def fit_vector_scaling(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    max_iterations: int = 500,
    tolerance: float = 1e-6,
    num_bins: int = 15,
) -> VectorFit:
    r"""Fits `softmax(a ⊙ z + b)`, 2K numbers, by L-BFGS on the NLL from the best temperature.

    $$\min_{a,b} \; \frac{\sum_i w_i \left[\log\sum_k e^{a_k z_{ik} + b_k}
      - a_{y_i} z_{i y_i} - b_{y_i}\right]}{\sum_i w_i}$$

    The problem is convex. With few examples a class it overfits: prefer `fit_temperature` then.
    Accuracy may change. Gradients are analytic, in float64, over blocks of rows.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities, whose logarithms are then z, or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels, or of their leading axes.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count.
        max_iterations: At most so many iterations.
        tolerance: Of the largest entry of the mean loss's gradient, with the logits divided by
            their root mean square.
        num_bins: Bins of the ECE.

    Returns:
        A `VectorFit`.

    Raises:
        InputError: As `fit_temperature`.

    Example:
        Class 0 is predicted half of the time, and right in a quarter of the cases.

        >>> import numpy as np
        >>> from ls_keras.calibration.scaling.vector_scaling import fit_vector_scaling
        >>> logits = np.array([[0.0, 0.0]] * 8)
        >>> fit = fit_vector_scaling([0, 0, 1, 1, 1, 1, 1, 1], logits, from_logits=True)
        >>> p = np.exp(fit.bias) / np.exp(fit.bias).sum()
        >>> [round(float(v), 4) for v in p]
        [0.25, 0.75]

    References:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (arXiv 1706.04599)
    """
    from scipy.optimize import minimize  # heavy: only who fits waits for it

    check_num_bins(num_bins)
    as_count(max_iterations, "max_iterations", 1)
    as_number(tolerance, "tolerance", low=0, above=True)
    examples = read_host_examples(
        y_true,
        y_pred,
        from_logits=from_logits,
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
    )
    check_any_counts(examples)
    num_classes = examples.logits.shape[1]
    start = fit_examples(examples, num_bins=num_bins)
    # Scales are searched in units of the logits' size, so that both halves of the gradient are.
    unit = 1 / max(_root_mean_square(examples, start.temperature), 1e-12)

    def loss(x):
        value, gradient, _ = _sums(examples, x[:num_classes] * unit, x[num_classes:], 0)
        gradient[:num_classes] *= unit
        return value, gradient

    x0 = np.zeros(2 * num_classes)
    x0[:num_classes] = 1 / start.temperature / unit
    best = minimize(
        loss,
        x0,
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": max_iterations,
            "maxfun": 2 * max_iterations + 50,
            "gtol": tolerance,
            "ftol": 0.0,
        },
    )
    scale, bias = best.x[:num_classes] * unit, best.x[num_classes:]
    bias = bias - bias.mean()
    nll_after, _, bins = _sums(examples, scale, bias, num_bins)
    return VectorFit(
        scale=scale,
        bias=bias,
        nll_before=start.nll_before,
        nll_after=float(nll_after),
        ece_before=start.ece_before,
        ece_after=float(np.abs(bins[1] - bins[2]).sum() / bins[0].sum()),
        num_examples=len(examples),
        iterations=int(best.nit),
        converged=bool(np.abs(best.jac).max() <= tolerance and start.at_bound != "lower"),
    )


def _root_mean_square(examples: HostExamples, temperature: float) -> float:
    """Returns the size of an example's logits around their mean.

    What is so far below the largest that it has no probability, as masks of −1e9 are, is no size.
    """
    some = examples.every(max(1, len(examples) // 1024))
    total = 0.0
    for at in blocks(0, len(some), some.logits.shape[1]):
        z = read_rows(some.logits, some.rows, at).astype(np.float64)
        z -= z.max(-1, keepdims=True)
        there = z > -np.inf
        z = np.where(there, np.maximum(z, -_UNLIKELY * temperature), 0)
        number = there.sum(-1)
        variance = (z**2).sum(-1) / number - (z.sum(-1) / number) ** 2
        total += float(some.weights[at] @ variance)
    return float(np.sqrt(total / some.weights.sum()))


def _sums(examples: HostExamples, scale, bias, num_bins: int):
    """Returns the mean loss, its gradient `(2K,)` and, with `num_bins`, bins `(3, num_bins)`."""
    num_classes = examples.logits.shape[1]
    size = max(1, _CHUNK // num_classes)

    def run(start: int):
        value, gradient = 0.0, np.zeros((2, num_classes))
        bins = np.zeros((3, num_bins))
        for at in blocks(start, min(start + size, len(examples)), num_classes):
            z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
            absent = z == -np.inf
            z[absent] = 0
            scaled = z * scale + bias
            scaled[absent] = -np.inf
            index = np.arange(len(z))
            guess = scaled.argmax(-1)
            scaled -= scaled[index, guess][:, None]
            p = np.exp(scaled)
            total = p.sum(-1)
            p /= total[:, None]
            weights = examples.weights[at]
            if examples.labels is not None:
                labels = examples.labels[at]
                value += np.sum(weights * (np.log(total) - scaled[index, labels]))
                g = p * weights[:, None]
                g[index, labels] -= weights
            else:
                y = read_rows(examples.dense, examples.rows, at)  # type: ignore[arg-type]
                mass = examples.mass[at]  # type: ignore[index]
                labels = y.argmax(-1)
                cost = mass * np.log(total) - np.where(y == 0, 0, y * scaled).sum(-1)
                value += np.sum(weights * cost)
                g = (p * mass[:, None] - y) * weights[:, None]
            gradient[0] += np.einsum("ij,ij->j", g, z)
            gradient[1] += g.sum(0)
            if num_bins:
                bins += bin_sums(1 / total[None], guess == labels, weights, num_bins)[0]
        return value, gradient, bins

    parts = in_threads(run, range(0, len(examples), size))
    weight = examples.weights.sum()
    value = sum(part[0] for part in parts) / weight
    gradient = np.sum([part[1] for part in parts], axis=0).reshape(-1) / weight
    return value, gradient, np.sum([part[2] for part in parts], axis=0)

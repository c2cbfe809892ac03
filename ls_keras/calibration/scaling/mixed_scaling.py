"""A temperature mixed with the uniform distribution, alone and followed by a matrix.

Mixing keeps all probabilities above 0.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ls_keras.calibration.scaling.recalibration import (
    Recalibration,
    log_softmax,
    minimize_nll,
    read_fit_examples,
)
from ls_keras.calibration.scaling.temperature import check_options, fit_examples
from ls_keras.inputs.numpy_examples import HostExamples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_number
from ls_keras.layers import MatrixScaling, MixedTemperature
from ls_keras.metrics.binning import check_num_bins


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
    return MixedTemperatureFit.with_scores(
        examples,
        num_bins,
        (start.nll_before, start.ece_before),
        temperature=start.temperature,
        mixing=1 / (len(examples) + 1),
        at_bound=start.at_bound,
    )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MatrixFit(Recalibration):
    """Result of `fit_matrix_scaling`; `Recalibration` documents its scores.

    Attributes:
        temperature: T, fitted first.
        mixing: ε = 1/(n + 1).
        matrix: W, float64 `(K, K)`.
        bias: b, float64 `(K,)`.
        iterations: Iterations of L-BFGS.
        converged: Whether the largest entry of the gradient came below the tolerance.
    """

    temperature: float
    mixing: float
    matrix: np.ndarray
    bias: np.ndarray
    iterations: int
    converged: bool

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.bias)

    def scale_logits(self, z: np.ndarray) -> np.ndarray:
        """Returns W log p + b, p the mixed softmax; −inf stays."""
        absent = z == -np.inf
        x = mixed_log_softmax(z, self.temperature, self.mixing)
        x[absent] = 0
        return np.where(absent, z, x @ self.matrix.T + self.bias)

    def make_layer(self, name: str) -> MatrixScaling:
        """Returns a `MatrixScaling` layer that holds matrix and bias."""
        made = MatrixScaling(self.temperature, self.mixing, name=name)
        made.build((None, self.num_classes))
        made.set_weights([self.matrix, self.bias])
        return made


def fit_matrix_scaling(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    strength: float = 1.0,
    max_iterations: int = 500,
    tolerance: float = 1e-6,
    num_bins: int = 15,
) -> MatrixFit:
    r"""Fits `softmax(W log p + b)`, p the probabilities of `fit_mixed_temperature`.

    $$\min_{W,b}\; \mathrm{NLL} + \lambda\,\Bigl[\lVert b\rVert^2 +
      \sum_k (W_{kk} - 1)^2 + (K - 1) \sum_{k \ne l} W_{kl}^2\Bigr], \qquad
      \lambda = \mathrm{strength} \cdot \frac{K}{n}$$

    The penalty grows with the distance from temperature scaling, most off the diagonal, where most
    parameters are, and falls with the number of examples. The problem is strictly convex: it has
    one optimum, finite even if all predictions are right, and close to the temperature if there are
    few examples per class. Accuracy may change. A pass costs 2 n K² products; W has K² numbers.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes. n counts
            examples, whatever they weigh.
        mask: Boolean, of the shape of the labels; false where a position does not count.
        ignore_class: Label id, or several, whose positions do not count.
        strength: Factor of the penalty, above 0.
        max_iterations: Largest number of iterations of L-BFGS.
        tolerance: Largest entry of the gradient at which the search ends.
        num_bins: Number of bins of the ECE.

    Returns:
        A `MatrixFit`, for `calibrated`, `logits` or `probabilities`.

    Raises:
        InputError: As `fit_temperature`.

    Example:
        Class 2 is always taken for class 1.

        >>> import numpy as np
        >>> from ls_keras.calibration import fit_matrix_scaling
        >>> p = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]).repeat(500, axis=0)
        >>> y_true = np.array([0, 1, 2]).repeat([500, 200, 300])
        >>> fit = fit_matrix_scaling(y_true, p)
        >>> [round(float(q), 1) for q in fit.probabilities([[0.1, 0.8, 0.1]])[0]]
        [0.0, 0.4, 0.6]

    References:
        Berta, Holzmüller, Jordan, Bach, *Structured Matrix Scaling for Multi-Class Calibration*,
        AISTATS 2026; `SMSCalibrator` of its package `probmetrics`, with ridge penalty.
    """
    check_num_bins(num_bins)
    as_number(strength, "strength", low=0, above=True)
    as_count(max_iterations, "max_iterations", 1)
    as_number(tolerance, "tolerance", low=0, above=True)
    examples = read_fit_examples(y_true, y_pred, from_logits, sample_weight, mask, ignore_class)
    start = mix_examples(examples, num_bins=num_bins)
    size = examples.logits.shape[1]
    # Parameters are the change (K, K + 1) of matrix and bias.
    cost = np.full((size, size + 1), size - 1.0)
    np.fill_diagonal(cost, 1.0)
    cost[:, -1] = 1.0
    cost = (cost * strength * size / len(examples)).ravel()

    def apply(flat: np.ndarray, x: np.ndarray) -> np.ndarray:
        change = flat.reshape(size, size + 1)
        return x + x @ change[:, :-1].T + change[:, -1]

    def gradient(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.concatenate([g.T @ x, g.sum(0)[:, None]], axis=1).ravel()

    parameters, iterations, converged = minimize_nll(
        examples,
        np.zeros(size * (size + 1)),
        features=lambda z: mixed_log_softmax(z, start.temperature, start.mixing),
        apply=apply,
        gradient=gradient,
        penalty=lambda flat: (float(cost @ flat**2), 2 * cost * flat),
        max_iterations=max_iterations,
        tolerance=tolerance,
    )
    change = parameters.reshape(size, size + 1)
    return MatrixFit.with_scores(
        examples,
        num_bins,
        (start.nll_before, start.ece_before),
        temperature=start.temperature,
        mixing=start.mixing,
        matrix=np.eye(size) + change[:, :-1],
        bias=change[:, -1],
        iterations=iterations,
        converged=converged,
    )


def mixed_log_softmax(z: np.ndarray, temperature: float, mixing: float) -> np.ndarray:
    """Returns log((1 − ε) softmax(z/T) + ε/K); a class of −inf keeps it, the others share ε.

    Args:
        z: Logits, float64 `(N, K)`.
        temperature: T.
        mixing: ε, above 0.
    """
    allowed = z != -math.inf
    with np.errstate(divide="ignore"):
        share = np.log(mixing * allowed / allowed.sum(-1, keepdims=True))
    if mixing == 1:
        return share
    return np.logaddexp(math.log1p(-mixing) + log_softmax(z, temperature), share)

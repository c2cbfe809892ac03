"""Matrix scaling that can't diverge: how far it is from a temperature costs something."""

from dataclasses import dataclass

import numpy as np

from ls_keras.calibration.scaling.mixed_temperature import mix_examples
from ls_keras.calibration.scaling.recalibration import Recalibration, tempered_log_probabilities
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
from ls_keras.layers import MatrixScaling
from ls_keras.metrics.binning import check_num_bins

_CHUNK = 1 << 19  # elements of float64 that one thread takes at a time


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MatrixFit(Recalibration):
    """What `fit_matrix_scaling` found; see `Recalibration` for its scores.

    Attributes:
        temperature: T, fitted first.
        mixing: ε = 1/(n + 1).
        matrix: W, float64 `(K, K)`.
        bias: b, float64 `(K,)`.
        iterations: Iterations of L-BFGS.
        converged: Whether the gradient's largest entry came below the tolerance.
    """

    temperature: float
    mixing: float
    matrix: np.ndarray
    bias: np.ndarray
    iterations: int
    converged: bool

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.bias)

    def log_probabilities(self, z: np.ndarray) -> np.ndarray:
        """Returns the logarithm of softmax(W log p + b)."""
        absent = z == -np.inf
        x = tempered_log_probabilities(z, self.temperature, self.mixing)
        x[absent] = 0
        scaled = x @ self.matrix.T + self.bias
        scaled[absent] = -np.inf
        return tempered_log_probabilities(scaled)

    def layer(self, name: str) -> MatrixScaling:
        """Returns a `MatrixScaling` that holds the weights."""
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
    r"""Fits `softmax(W log p + b)`, with p what `fit_mixed_temperature` gives.

    $$\min_{W,b}\; \mathrm{NLL} + \lambda\,\Bigl[\lVert b\rVert^2 +
      \sum_k (W_{kk} - 1)^2 + (K - 1) \sum_{k \ne l} W_{kl}^2\Bigr], \qquad
      \lambda = \mathrm{strength} \cdot \frac{K}{n}$$

    The penalty is of the distance from the temperature alone, largest off the diagonal, where most
    of the parameters are, and falls as there are more examples. So the problem is strictly convex:
    it has one optimum, which is finite even where all predictions are right, and with few examples
    a class it stays near the temperature. Accuracy may change. A pass costs 2 n K² products; W
    itself is K² numbers.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels, or of their leading axes. n counts
            examples, whatever they weigh.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count.
        strength: Of the penalty, above 0.
        max_iterations: At most so many iterations of L-BFGS.
        tolerance: Of the largest entry of the gradient.
        num_bins: Bins of the ECE.

    Returns:
        A `MatrixFit`, for `calibrated` or `probabilities`.

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
    from scipy.optimize import minimize  # heavy: only who fits waits for it

    check_num_bins(num_bins)
    as_number(strength, "strength", low=0, above=True)
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
    start = mix_examples(examples, num_bins=num_bins)
    size = examples.logits.shape[1]
    # Of the change (K, K + 1) of matrix and bias.
    cost = np.full((size, size + 1), size - 1.0)
    np.fill_diagonal(cost, 1.0)
    cost[:, -1] = 1.0
    cost *= strength * size / len(examples)

    def loss(flat):
        change = flat.reshape(size, size + 1)
        value, gradient = _sums(examples, start.temperature, start.mixing, change)
        value += float((cost * change**2).sum())
        return value, (gradient + 2 * cost * change).ravel()

    best = minimize(
        loss,
        np.zeros(size * (size + 1)),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": max_iterations,
            "maxfun": 2 * max_iterations + 50,
            "gtol": tolerance,
            "ftol": 0.0,
        },
    )
    change = best.x.reshape(size, size + 1)
    unscored = MatrixFit(
        temperature=start.temperature,
        mixing=start.mixing,
        matrix=np.eye(size) + change[:, :-1],
        bias=change[:, -1],
        nll_before=start.nll_before,
        nll_after=float("nan"),
        ece_before=start.ece_before,
        ece_after=float("nan"),
        num_examples=len(examples),
        iterations=int(best.nit),
        converged=bool(np.abs(best.jac).max() <= tolerance),
    )
    return unscored.scored(examples, num_bins)


def _sums(examples: HostExamples, temperature: float, mixing: float, change: np.ndarray):
    """Returns the mean NLL and its gradient `(K, K + 1)` by the change of matrix and bias."""
    size = len(change)
    matrix, bias = np.eye(size) + change[:, :-1], change[:, -1]
    rows = max(1, _CHUNK // size)

    def run(begin: int):
        value, gradient = 0.0, np.zeros_like(change)
        for at in blocks(begin, min(begin + rows, len(examples)), size):
            z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
            absent = z == -np.inf
            x = tempered_log_probabilities(z, temperature, mixing)
            x[absent] = 0
            scaled = x @ matrix.T + bias
            scaled[absent] = -np.inf
            log_p = tempered_log_probabilities(scaled)
            p, weights = np.exp(log_p), examples.weights[at]
            if examples.labels is not None:
                index, labels = np.arange(len(z)), examples.labels[at]
                value -= weights @ log_p[index, labels]
                g = p * weights[:, None]
                g[index, labels] -= weights
            else:
                y = read_rows(examples.dense, examples.rows, at)  # type: ignore[arg-type]
                value -= weights @ (y * np.where(y == 0, 0, log_p)).sum(-1)
                mass = examples.mass[at]  # type: ignore[index]
                g = (p * mass[:, None] - y) * weights[:, None]
            gradient[:, :-1] += g.T @ x
            gradient[:, -1] += g.sum(0)
        return value, gradient

    parts = in_threads(run, range(0, len(examples), rows))
    weight = examples.weights.sum()
    return (
        float(sum(value for value, _ in parts) / weight),
        np.sum([gradient for _, gradient in parts], axis=0) / weight,
    )

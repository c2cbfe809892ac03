"""Matrix scaling with a penalty on the distance from temperature scaling."""

from dataclasses import dataclass

import numpy as np

from ls_keras.calibration.scaling.affine import AffineMap, minimize_nll
from ls_keras.calibration.scaling.mixed_temperature import mix_examples
from ls_keras.calibration.scaling.recalibration import (
    Recalibration,
    mixed_log_softmax,
    read_fit_examples,
)
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_number
from ls_keras.layers import MatrixScaling
from ls_keras.metrics.binning import check_num_bins


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

    affine = AffineMap(
        lambda z: mixed_log_softmax(z, start.temperature, start.mixing),
        apply,
        gradient,
        lambda flat: (float(cost @ flat**2), 2 * cost * flat),
    )
    best = minimize_nll(examples, affine, np.zeros(size * (size + 1)), max_iterations, tolerance)
    change = best.parameters.reshape(size, size + 1)
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
        iterations=best.iterations,
        converged=best.converged,
    )
    return unscored.with_scores(examples, num_bins)

"""L-BFGS on the NLL of an affine map of the logits, for vector and matrix scaling."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ls_keras.calibration.scaling.recalibration import CHUNK, log_softmax
from ls_keras.inputs.numpy_examples import HostExamples, blocks, in_threads, read_rows


class AffineMap(NamedTuple):
    """An affine map of features of the logits, as a function of its parameters.

    Attributes:
        features: Maps logits `(N, K)` to features `(N, K)`; −inf may become anything.
        apply: Maps parameters and features to logits `(N, K)`.
        gradient: Maps dNLL/dlogits and features to the gradient by the parameters.
        penalty: Maps parameters to a value and its gradient.
    """

    features: Callable[[np.ndarray], np.ndarray]
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray]
    penalty: Callable[[np.ndarray], tuple[float, np.ndarray | float]]


class Optimum(NamedTuple):
    """Result of `minimize_nll`.

    Attributes:
        parameters: Parameters of the map.
        iterations: Iterations of L-BFGS.
        converged: Whether the largest entry of the gradient is below the tolerance.
    """

    parameters: np.ndarray
    iterations: int
    converged: bool


def minimize_nll(
    examples: HostExamples,
    affine: AffineMap,
    start: np.ndarray,
    max_iterations: int,
    tolerance: float,
) -> Optimum:
    """Minimizes mean NLL plus penalty with analytic float64 gradients, over blocks of rows.

    Args:
        examples: At least one example.
        affine: The map.
        start: First parameters.
        max_iterations: Largest number of L-BFGS iterations.
        tolerance: Largest entry of the gradient at which the search ends.
    """
    from scipy.optimize import minimize  # imported late: it takes long

    def loss(parameters: np.ndarray):
        value, gradient = _mean_nll(examples, affine, parameters)
        cost, slope = affine.penalty(parameters)
        return value + cost, gradient + slope

    options = {
        "maxiter": max_iterations,
        "maxfun": 2 * max_iterations + 50,
        "gtol": tolerance,
        "ftol": 0.0,
    }
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return Optimum(best.x, int(best.nit), bool(np.abs(best.jac).max() <= tolerance))


def _mean_nll(examples: HostExamples, affine: AffineMap, parameters: np.ndarray):
    """Returns the mean NLL and its gradient by the parameters."""
    num_classes = examples.logits.shape[1]
    size = max(1, CHUNK // num_classes)

    def run(start: int):
        value, gradient = 0.0, np.zeros_like(parameters)
        for at in blocks(start, min(start + size, len(examples)), num_classes):
            z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
            absent = z == -np.inf
            x = affine.features(z)
            x[absent] = 0
            scaled = affine.apply(parameters, x)
            scaled[absent] = -np.inf
            log_p, weights = log_softmax(scaled), examples.weights[at]
            if examples.labels is not None:
                index, labels = np.arange(len(z)), examples.labels[at]
                value -= weights @ log_p[index, labels]
                g = np.exp(log_p) * weights[:, None]
                g[index, labels] -= weights
            else:
                y = read_rows(examples.dense, examples.rows, at)  # type: ignore[arg-type]
                value -= weights @ (y * np.where(y == 0, 0, log_p)).sum(-1)
                mass = examples.mass[at]  # type: ignore[index]
                g = (np.exp(log_p) * mass[:, None] - y) * weights[:, None]
            gradient += affine.gradient(g, x)
        return value, gradient

    parts = in_threads(run, range(0, len(examples), size))
    weight = examples.weights.sum()
    value, gradient = (sum(part[i] for part in parts) / weight for i in range(2))
    return float(value), gradient

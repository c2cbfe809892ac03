"""Vector scaling: a scale and a bias for each class, fitted on held-out examples."""

from dataclasses import dataclass

import numpy as np

from ls_keras.calibration.scaling.recalibration import (
    Recalibration,
    minimize_nll,
    read_fit_examples,
)
from ls_keras.calibration.scaling.temperature import fit_examples
from ls_keras.inputs.numpy_examples import HostExamples, blocks, read_rows
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_flag, as_number
from ls_keras.layers import VectorScaling
from ls_keras.metrics.binning import check_num_bins

_UNLIKELY = 100.0  # nats below the largest logit, at the fitted temperature


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class VectorFit(Recalibration):
    """Result of `fit_vector_scaling`: calibrated logits are `scale * logits + bias`.

    `Recalibration` documents its scores.

    Attributes:
        scale: float64 `(K,)`; 1 / `scale` are temperatures per class.
        bias: float64 `(K,)`, of mean 0, since a common shift changes no probability.
        iterations: Iterations of L-BFGS.
        converged: Whether the largest entry of the gradient came below the tolerance. False if no
            prediction is wrong, at T = 1 or at the smallest T: the best scale is then infinite.
    """

    scale: np.ndarray
    bias: np.ndarray
    iterations: int
    converged: bool

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.scale)

    def scale_logits(self, z: np.ndarray) -> np.ndarray:
        """Returns `scale * z + bias`; −inf stays, whatever the sign of its scale."""
        absent = z == -np.inf
        return np.where(absent, z, np.where(absent, 0, z) * self.scale + self.bias)

    def make_layer(self, name: str) -> VectorScaling:
        """Returns a `VectorScaling` layer that holds scale and bias."""
        made = VectorScaling(name=name)
        made.build((None, self.num_classes))
        made.set_weights([self.scale, self.bias])
        return made


def fit_vector_scaling(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    bias: bool = True,
    max_iterations: int = 500,
    tolerance: float = 1e-6,
    num_bins: int = 15,
) -> VectorFit:
    r"""Fits `softmax(a ⊙ z + b)`, 2K numbers, by L-BFGS on the NLL, starting from the best T.

    $$\min_{a,b} \; \frac{\sum_i w_i \left[\log\sum_k e^{a_k z_{ik} + b_k}
      - a_{y_i} z_{i y_i} - b_{y_i}\right]}{\sum_i w_i}$$

    The problem is convex. With few examples per class it overfits: prefer `fit_temperature` then.
    Accuracy may change.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities, whose logarithms are then z, or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes.
        mask: Boolean, of the shape of the labels; false where a position does not count.
        ignore_class: Label id, or several, whose positions do not count.
        bias: Whether to fit b. `False` fits a temperature per class, T_k = 1 / a_k, only.
        max_iterations: Largest number of iterations.
        tolerance: Largest entry of the gradient of the mean loss at which the search ends, with
            logits divided by their root mean square.
        num_bins: Number of bins of the ECE.

    Returns:
        A `VectorFit`, for `calibrated`, `logits` or `probabilities`.

    Raises:
        InputError: As `fit_temperature`.

    Example:
        Class 0 is predicted half of the time, and right in a quarter of the cases.

        >>> import numpy as np
        >>> from ls_keras.calibration import fit_vector_scaling
        >>> logits = np.array([[0.0, 0.0]] * 8)
        >>> fit = fit_vector_scaling([0, 0, 1, 1, 1, 1, 1, 1], logits, from_logits=True)
        >>> fit.probabilities([[0.5, 0.5]]).round(4)
        array([[0.25, 0.75]])

    References:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (arXiv 1706.04599)
    """
    check_num_bins(num_bins)
    as_flag(bias, "bias")
    as_count(max_iterations, "max_iterations", 1)
    as_number(tolerance, "tolerance", low=0, above=True)
    examples = read_fit_examples(y_true, y_pred, from_logits, sample_weight, mask, ignore_class)
    num_classes = examples.logits.shape[1]
    start = fit_examples(examples, num_bins=num_bins)
    # Scales are searched in units of the logits' size, so that both halves of the gradient have
    # the same size.
    unit = 1 / max(_root_mean_square(examples, start.temperature), 1e-12)

    shape = (2, num_classes)

    def apply(flat: np.ndarray, z: np.ndarray) -> np.ndarray:
        scale, shift = flat.reshape(shape)
        return z * (scale * unit) + shift

    def gradient(g: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.concatenate([np.einsum("ij,ij->j", g, z) * unit, bias * g.sum(0)])

    parameters, iterations, converged = minimize_nll(
        examples,
        np.repeat([1 / start.temperature / unit, 0.0], num_classes),
        features=np.copy,
        apply=apply,
        gradient=gradient,
        penalty=lambda flat: (0.0, 0.0),
        max_iterations=max_iterations,
        tolerance=tolerance,
    )
    scale, shift = parameters.reshape(shape)
    return VectorFit.with_scores(
        examples,
        num_bins,
        (start.nll_before, start.ece_before),
        scale=scale * unit,
        bias=shift - shift.mean(),
        iterations=iterations,
        converged=converged and start.at_bound != "lower",
    )


def _root_mean_square(examples: HostExamples, temperature: float) -> float:
    """Returns the size of an example's logits around their mean.

    Logits far below the largest, such as masks of −1e9, have no probability and do not count.
    """
    some = examples.every(max(1, len(examples) // 1024))
    total = 0.0
    for at in blocks(0, len(some), some.logits.shape[1]):
        z = read_rows(some.logits, some.rows, at).astype(np.float64)
        z -= z.max(-1, keepdims=True)
        present = z > -np.inf
        z = np.where(present, np.maximum(z, -_UNLIKELY * temperature), 0)
        number = present.sum(-1)
        variance = (z**2).sum(-1) / number - (z.sum(-1) / number) ** 2
        total += float(some.weights[at] @ variance)
    return float(np.sqrt(total / some.weights.sum()))

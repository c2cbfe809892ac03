"""Removes label smoothing from predictions: the distribution p* in p = (1 − α) p* + α q."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_base.brief_repr import BriefRepr
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_tensor
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_number
from ls_keras.losses import Neighborhood, Smoothing
from ls_keras.losses.smoothings import get_smoothing


@dataclasses.dataclass(frozen=True, repr=False)
class Unsmoothing(BriefRepr):
    """The smoothing that a search removes from predictions: α and its distribution q.

    A model that fits targets smoothed with α perfectly predicts p = (1 − α) p* + α q. A search
    with `unsmooth=Unsmoothing(α, q)` ranks by p*; see `unsmoothed_log_probs`.

    Args:
        alpha: α, in [0, 1); 0 removes nothing.
        smoothing: `"uniform"`, or an object whose q is the same at every position: `Uniform`,
            `Unigram` or `Prior`. Use that of the loss: `Unsmoothing(loss.alpha, loss.smoothing)`.

    Raises:
        InputError: If alpha is not in [0, 1), or the smoothing is unknown or depends on the labels,
            as `Neighborhood` does.

    Example:
        >>> import ls_keras
        >>> from ls_keras.decoding import Unsmoothing
        >>> loss = ls_keras.SmoothedCE(0.1, smoothing=ls_keras.Uniform(exclude=[0]))
        >>> Unsmoothing(loss.alpha, loss.smoothing)
        Unsmoothing(alpha=0.1, smoothing=Uniform(exclude=[0]))
    """

    alpha: float
    smoothing: Any = "uniform"

    def __post_init__(self):
        alpha = as_number(self.alpha, "alpha", low=0, high=1)
        if alpha == 1:
            raise InputError(
                "Expected alpha below 1: with 1, targets do not depend on labels. Received: 1"
            )
        smoothing = get_smoothing(self.smoothing)
        if isinstance(smoothing, Neighborhood):
            raise _depends_on_labels(smoothing)
        object.__setattr__(self, "alpha", alpha)
        object.__setattr__(self, "smoothing", smoothing)

    def logits(self, logits):
        """Returns logits `(..., K)` of p*: log max(p − αq, 0), in float32 or better.

        They are not normalized. With α = 0, the logits are returned unchanged.

        Args:
            logits: Tensor `(..., K)` of any float dtype.

        Raises:
            InputError: If the smoothing is for another K, or depends on the labels.
        """
        if keras.backend.standardize_dtype(logits.dtype) != "float64":
            logits = ops.cast(logits, "float32")
        if not self.alpha:
            return logits
        prior = self.smoothing.distribution(None, None, logits.shape[-1]).prior
        if prior is None:
            raise _depends_on_labels(self.smoothing)
        with np.errstate(divide="ignore"):  # classes with q = 0
            taken = np.log(self.alpha) + np.log(prior)
        return _log_difference(_log_probs(logits), ops.convert_to_tensor(taken, dtype=logits.dtype))


@no_autograph
def unsmoothed_log_probs(logits, alpha: float, smoothing="uniform"):
    """Returns log-probabilities with the effect of label smoothing in training removed.

    p*_k = max(p_k − α q_k, 0) / Σ_j max(p_j − α q_j, 0)

    For p = (1 − α) p* + α q, the minimum of cross-entropy with smoothed targets, this is exactly
    p*, and the sum is 1 − α. For a trained model it is an estimate, with zeros for all classes
    with p_k ≤ α q_k: use p* for searching only; its NLL may be infinite. It is computed from
    logarithms: log p + log(1 − exp(log α q − log p)), minus its log-normalizer.

    Args:
        logits: Tensor `(..., K)` of any float dtype; −inf for p = 0.
        alpha: α of the training, in [0, 1).
        smoothing: q of the training: `"uniform"`, or an object whose q is the same at every
            position: `Uniform`, `Unigram` or `Prior`. Default: `"uniform"`.

    Returns:
        Tensor `(..., K)` of float32, or float64 for such logits: log p*, −inf where p ≤ αq. Rows
        with NaN or +inf are NaN, rows of −inf stay −inf. Some class always has more than αq;
        where α is so near 1 that rounding hides this, a row is log p.

    Raises:
        InputError: See `Unsmoothing`; also if the logits have no class axis, or the smoothing is
            for another number of classes.

    Example:
        >>> import numpy as np
        >>> from keras import ops
        >>> from ls_keras.decoding import unsmoothed_log_probs
        >>> p = 0.9 * np.array([0.7, 0.3, 0.0]) + 0.1 / 3
        >>> found = unsmoothed_log_probs(np.log(p), 0.1)
        >>> [round(float(x), 3) for x in ops.exp(found)]
        [0.7, 0.3, 0.0]

    References:
        Liang, Wang and Cao 2022, *The Implicit Length Bias of Label Smoothing on Beam Search
        Decoding* (arXiv 2205.00659), on its effect on the length of hypotheses.
    """
    logits = as_tensor(logits, "logits")
    if not len(logits.shape) or logits.shape[-1] is None:
        raise InputError(
            f"Expected logits of shape (..., K). Received: shape {tuple(logits.shape)}"
        )
    return _log_probs(Unsmoothing(alpha, smoothing).logits(logits))


def _log_probs(logits):
    """Returns the log-softmax; rows of −inf stay −inf, rows with +inf are NaN."""
    normalizer = ops.logsumexp(logits, axis=-1, keepdims=True)
    normalizer = ops.where(normalizer == float("inf"), float("nan"), normalizer)
    return logits - ops.where(normalizer == float("-inf"), 0.0, normalizer)


def _log_difference(log_p, taken):
    """Returns log(exp(log_p) − exp(taken)), −inf where the difference is not positive."""
    rest = log_p > taken  # false for NaN
    # Elsewhere, −1 keeps values and gradients finite; they are not used.
    ratio = ops.where(rest, taken - log_p, -1.0)
    # log(1 − e^x): near 0 by expm1, far below by log1p (Mächler 2012).
    near = ratio > -math.log(2)
    by_expm1 = ops.log(-ops.expm1(ops.where(near, ratio, -0.5)))
    by_log1p = ops.log1p(-ops.exp(ops.where(near, -1.0, ratio)))
    left = log_p + ops.where(near, by_expm1, by_log1p)
    found = ops.where(rest, left, float("-inf"))
    return ops.where(ops.any(rest, axis=-1, keepdims=True), found, log_p)


def _depends_on_labels(smoothing: Smoothing) -> InputError:
    return InputError(
        "Expected a smoothing whose q is the same at every position (Uniform, Unigram, Prior): a "
        f"search has no labels. Received: {shown(smoothing)}"
    )

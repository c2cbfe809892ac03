"""Undoing label smoothing: the distribution that is left of a model's when αq is taken off it."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_base.short_repr import Fields
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_tensor
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_number
from ls_keras.losses import Neighborhood, Smoothing
from ls_keras.losses.smoothings import get_smoothing


@dataclasses.dataclass(frozen=True, repr=False)
class Unsmoothing(Fields):
    """Which smoothing a search undoes: α and its distribution q.

    A model that has learned targets smoothed with α perfectly well says p = (1 − α) p* + α q. A
    search with `unsmooth=Unsmoothing(α, q)` ranks by p*, see `unsmoothed_log_probs`.

    Args:
        alpha: α, in [0, 1); 0 undoes nothing.
        smoothing: `"uniform"`, or an object whose q is the same at every position: `Uniform`,
            `Unigram`, `Prior`. What the loss had: `Unsmoothing(loss.alpha, loss.smoothing)`.

    Raises:
        InputError: If alpha is no number in [0, 1), or the smoothing is unknown or depends on the
            labels, as `Neighborhood` does.

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
                "Expected alpha below 1: at 1 nothing of the labels was learned. Received: 1"
            )
        smoothing = get_smoothing(self.smoothing)
        if isinstance(smoothing, Neighborhood):
            raise _depends_on_labels(smoothing)
        object.__setattr__(self, "alpha", alpha)
        object.__setattr__(self, "smoothing", smoothing)

    def logits(self, logits):
        """Returns logits `(..., K)` of p*: log max(p − αq, 0), in float32 or better.

        They are not normalized; where nothing is to be undone, they are those given.

        Args:
            logits: Tensor `(..., K)`, of any float dtype.

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
        with np.errstate(divide="ignore"):  # classes that smoothing gave nothing
            taken = np.log(self.alpha) + np.log(prior)
        return _log_rest(_log_probs(logits), ops.convert_to_tensor(taken, dtype=logits.dtype))


@no_autograph
def unsmoothed_log_probs(logits, alpha: float, smoothing="uniform"):
    """Returns the log-probabilities of what a model trained with smoothed targets has learned.

    p*_k = max(p_k − α q_k, 0) / Σ_j max(p_j − α q_j, 0)

    With p = (1 − α) p* + α q, as cross-entropy with smoothed targets has it at its minimum, this is
    p* itself, and the sum is 1 − α. Of a trained model it is an estimate, with zeros for all
    classes of which it says less than α q_k: p* is for searching, it has no finite NLL. Computed
    from logarithms throughout: log p + log(1 − exp(log α q − log p)), less its log-normalizer.

    Args:
        logits: Tensor `(..., K)`, of any float dtype. −inf is the logit of p = 0.
        alpha: α of the training, in [0, 1).
        smoothing: Its q: `"uniform"`, or an object whose q is the same at every position:
            `Uniform`, `Unigram`, `Prior`.

    Returns:
        Tensor `(..., K)`, float32 (float64 stays): log p*, −inf where p ≤ αq. Rows with NaN or
        +inf are NaN, rows of −inf only stay. Some class always has more than αq, but with α so
        near 1 that rounding hides it, a row is log p.

    Raises:
        InputError: As `Unsmoothing`, if the logits have no axis of classes, or if the smoothing is
            for another number of them.

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
        Decoding* (arXiv 2205.00659), on what it does to the length of what beams find.
    """
    logits = as_tensor(logits, "logits")
    if not len(logits.shape) or logits.shape[-1] is None:
        raise InputError(
            f"Expected logits of shape (..., K). Received: shape {tuple(logits.shape)}"
        )
    return _log_probs(Unsmoothing(alpha, smoothing).logits(logits))


def _log_probs(logits):
    """Returns the log-softmax; a row of −inf only stays what it is, one with +inf is NaN."""
    normalizer = ops.logsumexp(logits, axis=-1, keepdims=True)
    normalizer = ops.where(normalizer == float("inf"), float("nan"), normalizer)
    return logits - ops.where(normalizer == float("-inf"), 0.0, normalizer)


def _log_rest(log_p, taken):
    """Returns log(exp(log_p) − exp(taken)), −inf where that is no more than 0."""
    rest = log_p > taken  # of NaN: no
    # Where nothing is left any number below 0 will do: nothing comes of it, nor of its gradient.
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
        f"search has no labels to know it by. Received: {shown(smoothing)}"
    )

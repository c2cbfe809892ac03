"""Negative log-likelihood and perplexity, never smoothed."""

import keras
from keras import ops

from ls_keras.inputs.probabilities import Examples, pick
from ls_keras.inputs.registry import METRICS
from ls_keras.metrics.base import WeightedMean


@METRICS.register("nll")
class NegativeLogLikelihood(WeightedMean):
    """Mean negative log-likelihood of the targets, in nats.

        NLL = −(1/N) Σ_i Σ_k y_ik log p_ik

    It is never smoothed, whatever the loss: read it beside a smoothed training loss, and compare it
    between values of alpha. Probabilities are bounded below by `keras.config.epsilon()`, as in
    Keras's losses; logits need no bound. With `multi_label`, it is the mean over labels of
    −y log p − (1 − y) log(1 − p).

    Args:
        **arguments: `from_logits`, `ignore_class`, `name`, `dtype` and `multi_label`, see
            `CalibrationMetric`.

    Example:
    >>> import ls_keras
    >>> nll = ls_keras.NegativeLogLikelihood()
    >>> nll.update_state([0, 1], [[0.5, 0.5], [0.75, 0.25]])
    >>> print(f"{float(nll.result()):.4f}")  # (log 2 + log 4) / 2
    1.0397
    """

    default_name = "nll"

    def values(self, examples: Examples):
        """Returns −log p of each example's target."""
        return negative_log_likelihood(examples, from_logits=self.from_logits)


@METRICS.register("perplexity")
class Perplexity(WeightedMean):
    """Perplexity per example (per token, for sequences): exp(NLL), never smoothed.

        perplexity = exp(−(1/N) Σ_i Σ_k y_ik log p_ik)

    The mean is taken over all examples before the exponential, so the result does not depend on
    batches; an average of batch perplexities, which some tools print, is larger. With
    `multi_label`, it is exp of the mean over labels: 1 to 2 for predictions no worse than a coin.

    Args:
        **arguments: `from_logits`, `ignore_class`, `name`, `dtype` and `multi_label`, see
            `CalibrationMetric`.

    Example:
    >>> import ls_keras
    >>> perplexity = ls_keras.Perplexity(ignore_class=0)
    >>> perplexity.update_state([[2, 1, 0]], [[[0.25, 0.25, 0.5]] * 3])
    >>> print(f"{float(perplexity.result()):.4f}")  # exp((log 2 + log 4) / 2): padding is out
    2.8284
    """

    default_name = "perplexity"

    def values(self, examples: Examples):
        """Returns −log p of each example's target."""
        return negative_log_likelihood(examples, from_logits=self.from_logits)

    def score(self, mean):
        """Returns exp(NLL)."""
        return ops.exp(mean)


def negative_log_likelihood(examples: Examples, *, from_logits: bool):
    """Returns −Σ_k y_k log p_k `(...)` of each example, in the dtype of `examples.y_pred`."""
    labels, dense, y_pred = examples.targets.labels, examples.targets.dense, examples.y_pred
    if labels is not None:
        if from_logits:
            # The logsumexp of logits near 1e4 has only three decimals in float32.
            top = ops.max(y_pred, axis=-1)
            total = ops.sum(ops.exp(y_pred - top[..., None]), axis=-1)
            return ops.log(total) - (pick(y_pred, labels) - top)
        return -ops.log(ops.maximum(pick(y_pred, labels), keras.config.epsilon()))
    dense = ops.cast(dense, y_pred.dtype)
    if from_logits:
        y_pred = y_pred - ops.max(y_pred, axis=-1, keepdims=True)
        log_p = y_pred - ops.logsumexp(y_pred, axis=-1, keepdims=True)
    else:
        log_p = ops.log(ops.maximum(y_pred, keras.config.epsilon()))
    # A class with probability 0 adds nothing if its target is 0: 0 · −inf counts as 0.
    return -ops.sum(ops.where(dense == 0, ops.zeros_like(log_p), dense * log_p), axis=-1)

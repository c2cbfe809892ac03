"""Negative log-likelihood and perplexity, never smoothed."""

import keras
from keras import ops

from ls_keras.inputs.probabilities import Examples, pick
from ls_keras.inputs.registry import METRICS
from ls_keras.metrics.weighted_mean import WeightedMean


@METRICS.register("nll")
class NegativeLogLikelihood(WeightedMean):
    """Mean negative log-likelihood of the targets, in nats.

        NLL = −(1/N) Σ_i Σ_k y_ik log p_ik

    This is never smoothed, whatever the loss is: the number to read beside a smoothed training
    loss, and the one to compare between values of alpha. Probabilities are bounded below by
    `keras.config.epsilon()`, as in Keras's losses; logits need no bound. With `multi_label`, it is
    the mean over labels of −y log p − (1 − y) log(1 − p).

    See `ls_keras.metrics.weighted_mean.WeightedMean` for masks, weights, and the sums.

    Args:
        from_logits: Whether `y_pred` are logits; `False`, as in Keras: probabilities.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        name: Name of the metric in logs.
        dtype: Dtype of the result. Defaults to Keras's float type.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            `(batch, 1)` for a binary model. Default: `False`.

    Example:
    >>> import ls_keras
    >>> nll = ls_keras.NegativeLogLikelihood()
    >>> nll.update_state([0, 1], [[0.5, 0.5], [0.75, 0.25]])
    >>> print(f"{float(nll.result()):.4f}")  # (log 2 + log 4) / 2
    1.0397
    """

    def __init__(
        self,
        *,
        from_logits=False,
        ignore_class=None,
        name="nll",
        dtype=None,
        multi_label=False,
    ):
        super().__init__(
            from_logits=from_logits,
            ignore_class=ignore_class,
            name=name,
            dtype=dtype,
            multi_label=multi_label,
        )

    def values(self, examples: Examples):
        """Returns −log p of each example's target."""
        return negative_log_likelihood(examples, from_logits=self.from_logits)


@METRICS.register("perplexity")
class Perplexity(WeightedMean):
    """Perplexity per example (per token, for sequences): exp(NLL), never smoothed.

        perplexity = exp(−(1/N) Σ_i Σ_k y_ik log p_ik)

    The mean is taken over all examples before the exponential, so the result doesn't depend on
    batches; an average of batch perplexities (which some tools print) is larger.

    With `multi_label`, it is that of a label: exp of the mean over labels, between 1 and 2 for
    predictions that are no worse than a coin.

    See `NegativeLogLikelihood` for the arguments.

    Args:
        from_logits: Whether `y_pred` are logits; `False`, as in Keras: probabilities.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        name: Name of the metric in logs.
        dtype: Dtype of the result. Defaults to Keras's float type.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            `(batch, 1)` for a binary model. Default: `False`.

    Example:
    >>> import ls_keras
    >>> perplexity = ls_keras.Perplexity(ignore_class=0)
    >>> perplexity.update_state([[2, 1, 0]], [[[0.25, 0.25, 0.5]] * 3])
    >>> print(f"{float(perplexity.result()):.4f}")  # exp((log 2 + log 4) / 2): padding is out
    2.8284
    """

    def __init__(
        self,
        *,
        from_logits=False,
        ignore_class=None,
        name="perplexity",
        dtype=None,
        multi_label=False,
    ):
        super().__init__(
            from_logits=from_logits,
            ignore_class=ignore_class,
            name=name,
            dtype=dtype,
            multi_label=multi_label,
        )

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
            # Of logits near 1e4, their logsumexp would keep three decimals.
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
    # A class without probability costs nothing where the target gives it none: 0 · −inf is 0.
    return -ops.sum(ops.where(dense == 0, ops.zeros_like(log_p), dense * log_p), axis=-1)

"""What neighbors of smoothing add to the cross-entropy, as functions of the logits alone."""

import keras
from keras import ops

from ls_keras.losses.closed_form import row_max

# exp(−200) is 0 in float32, and in float64 nothing beside 1: so 0 · log 0 is 0.
_LOWEST = -200.0


def excess_over_margin(z, margin: float):
    """Computes mean_k max(0, max_j z_j − z_k − m).

    With A the classes beyond the margin, dR/dz_k = (|A| [k is the largest] − [k ∈ A]) / K; several
    largest ones share.

    Args:
        z: Logits or log-probabilities `(..., K)`.
        margin: m, at least 0.

    Returns:
        Tensor `(...)`.
    """
    # Distances first: logits near 1e4 keep their digits.
    return ops.mean(ops.relu(row_max(z) - z - margin), axis=-1)


def entropy(z):
    """Computes H(p) = −Σ_k p_k log p_k with p = softmax(z).

    dH/dz_k = −p_k (log p_k + H)

    In TensorFlow it brings that gradient with it, computed from z alone, where autodiff would hold
    several tensors of z's size from the one pass to the other; `closed_form` says why only there.

    Args:
        z: Logits or log-probabilities `(..., K)`, of which some may be −inf.

    Returns:
        Tensor `(...)`.
    """
    if keras.config.backend() != "tensorflow":
        return _entropy(z)

    @ops.custom_gradient
    def with_gradient(z):
        def gradient(upstream):
            shifted, exponential, total, mean = _moments(z)
            return exponential * (mean - shifted) * (upstream[..., None] / total)

        return _entropy(z), gradient

    return with_gradient(z)


def _entropy(z):
    _, _, total, mean = _moments(z)
    return (ops.log(total) - mean)[..., 0]


def _moments(z):
    """Returns s = z − max z, e^s, Σ_k e^s_k and the mean Σ_k p_k s_k."""
    top = ops.stop_gradient(row_max(z))
    shifted = ops.maximum(z - top, _LOWEST)
    exponential = ops.exp(shifted)
    total = ops.sum(exponential, axis=-1, keepdims=True)
    mean = ops.sum(exponential * shifted, axis=-1, keepdims=True) / total
    return shifted, exponential, total, mean

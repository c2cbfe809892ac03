"""Targets that bring a number each: one tensor, since Keras takes one `y_true` for an output.

Labels stay integers and the numbers float32, both exact in training of any precision, and the shape
tells such targets from all others, which have an axis less.
"""

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tracing import concrete
from ls_keras.inputs.validation import INT32, as_tensor, shown


@no_autograph
def with_alpha(y_true, alpha):
    """Packs targets and an α for each of them into the one `y_true` that Keras hands on.

    For losses with `alpha="per-example"` (a rate or beta likewise), in `fit` with arrays, `tf.data`
    or a `PyDataset`, and wherever losses of this library are called. Metrics of this library read
    the labels alone; others, and `class_weight` of `fit`, can't read such targets.

    - Integer labels `(...)` become int32 `(..., 1, 2)`: the label, and the bits of α in float32.
    - Dense targets `(..., K)`, of a floating dtype, become `(..., 2, K)`: the targets, and α, the
      same for each class.

    Args:
        y_true: Labels or dense targets, the classes on the last axis. Of integers, all are labels;
            pass one-hot targets as floats.
        alpha: Numbers `(...)` as the examples, or of their leading axes: of sentences, `(batch,)`
            is an α for all words of each. What they may be says the loss.

    Returns:
        A NumPy array for arrays, a tensor for tensors of the backend.

    Raises:
        InputError: If the shapes don't belong together, or if a label is beyond int32.

    Example:
    ```python
    >>> import numpy as np
    >>> import ls_keras
    >>> y_true = ls_keras.losses.with_alpha(np.array([0, 1]), np.array([0.1, 0.0]))
    >>> y_true.shape, y_true.dtype
    ((2, 1, 2), dtype('int32'))
    >>> loss = ls_keras.SmoothedCE("per-example", from_logits=True, reduction=None)
    >>> [round(float(x), 4) for x in loss(y_true, [[2.0, 0.0], [2.0, 0.0]])]
    [0.2269, 2.1269]

    ```
    """
    host = not any(ops.is_tensor(value) for value in (y_true, alpha))
    labels, alpha = as_tensor(y_true, "y_true"), as_tensor(alpha, "alpha")
    whole = "int" in keras.backend.standardize_dtype(labels.dtype)
    known = np.asarray(y_true) if host else concrete(labels)  # 64 bits, which JAX would cut
    if whole and known is not None and (abs(known.astype(np.float64)) > INT32).any():
        raise InputError(f"Expected labels within ±{INT32:,}. Received: {shown(known)} beyond")
    shape = tuple(labels.shape) if whole else tuple(labels.shape)[:-1]
    rank = len(alpha.shape)
    if (
        (not whole and not (len(labels.shape) and labels.shape[-1]))
        or rank > len(shape)
        or tuple(alpha.shape) != shape[:rank]
    ):
        raise InputError(
            f"Expected an alpha for each of the targets, of shape {shape} or of its leading axes. "
            f"Received: alpha of shape {tuple(alpha.shape)}"
        )
    alpha = ops.cast(alpha, "float32" if whole else labels.dtype)
    for _ in shape[rank:]:
        alpha = alpha[..., None]
    ones = ops.ones_like(labels if whole else labels[..., 0], dtype=alpha.dtype)
    alpha = (alpha * ones)[..., None]
    if whole:
        pair = [ops.cast(labels, "int32")[..., None], ops.view(alpha, "int32")]
        packed = ops.concatenate(pair, axis=-1)[..., None, :]
    else:
        packed = ops.stack([labels, alpha * ops.ones_like(labels)], axis=-2)
    return ops.convert_to_numpy(packed) if host else packed


def unpacked(y_true, y_pred):
    """Returns targets, and the numbers that `with_alpha` gave them: a tensor `(...)`, or `None`.

    Args:
        y_true: What any loss or metric is given.
        y_pred: Tensor `(..., K)`.
    """
    shape, rank = getattr(y_true, "shape", None), len(y_pred.shape)
    if shape is None or not rank:
        return y_true, None
    shape, dtype = tuple(shape), getattr(y_true.dtype, "name", str(y_true.dtype))
    whole = dtype in ("int32", "torch.int32")
    if len(shape) == rank + 2 and shape[-3:] == (1, 1, 2) and whole:  # of labels `(..., 1)`
        y_true, shape = y_true[..., 0, :, :], shape[:-3] + shape[-2:]
    if len(shape) == rank + 1 and shape[-2:] == (1, 2) and whole:
        # All of it: TensorFlow views only what has a known last axis.
        return y_true[..., 0, 0], ops.view(as_tensor(y_true, "y_true"), "float32")[..., 0, 1]
    if len(shape) == rank + 1 and shape[-2:] == (2, y_pred.shape[-1]) and "float" in dtype:
        return y_true[..., 0, :], ops.cast(as_tensor(y_true, "y_true")[..., 1, 0], "float32")
    return y_true, None

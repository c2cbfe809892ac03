"""Distances between activations and class templates, which logits measure."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_array, as_tensor, to_numpy_or_none
from ls_keras.inputs.validation import as_count, as_flag
from ls_keras.representation.penultimate import append_bias_feature

# Limit of activations and templates: the squares of a million features still add up in float32.
MAX_FEATURE = 1e15


@no_autograph
def template_distances(activations, templates, *, squared: bool = False):
    r"""Computes the Euclidean distances of activations to all class templates.

    $$\lVert x - w_k\rVert^2 = x\cdot x - 2\,x\cdot w_k + w_k\cdot w_k$$

    x·x is the same for all classes and cancels in the softmax. Up to the norm of its template, a
    logit x·w_k therefore measures a distance: the nearer, the larger (section 2 of the paper).

    The mean template is subtracted from both sides first, which does not change distances; the
    remaining rounding error of a squared distance is about ε (‖x‖² + ‖w_k‖²). Squares below 0
    become 0. Memory is O(N·K), not O(N·K·D).

    Args:
        activations: Tensor `(..., D)`; with one feature less than the templates, a 1 is appended.
        templates: Tensor `(D, K)`, features × classes, with the bias as the last row.
        squared: Whether to return squared distances. Default: `False`.

    Returns:
        Tensor `(..., K)` in the floating dtype of the activations, float32 at least.

    Raises:
        InputError: If the shapes do not match.

    Example:
    >>> import numpy as np
    >>> from ls_keras.representation import template_distances
    >>> templates = np.array([[3.0, 0.0], [0.0, 0.0], [1.0, 1.0]])  # the last row: biases
    >>> [float(d) for d in template_distances(np.array([0.0, 4.0]), templates)]
    [5.0, 4.0]

    References:
        Müller et al., When Does Label Smoothing Help?, NeurIPS 2019 (arXiv 1906.02629), section 2
    """
    as_flag(squared, "squared")
    w = as_templates(templates)
    x = append_bias_feature(activations, w.shape[0])
    x = ops.cast(ops.convert_to_tensor(x), w.dtype)
    center = ops.mean(w, axis=1)
    x, w = x - center, w - ops.expand_dims(center, axis=1)
    squares = (
        ops.sum(ops.square(x), axis=-1, keepdims=True)
        - 2.0 * ops.matmul(x, w)
        + ops.sum(ops.square(w), axis=0)
    )
    squares = ops.maximum(squares, 0.0)
    return squares if squared else ops.sqrt(squares)


@no_autograph
def nearest_classes(templates, class_id: int, count: int = 2) -> tuple[int, ...]:
    """Returns the classes with the templates nearest to that of a class, nearest first.

    Networks place the templates of similar classes close together, such as "toy poodle" and
    "miniature poodle" in the paper.

    Args:
        templates: Tensor `(D, K)`, features × classes.
        class_id: The class.
        count: Number of classes to return, at most K − 1. Ties go to the lower class. Default: 2.

    Raises:
        InputError: If the class does not exist, or there are too few others.

    Example:
    >>> import numpy as np
    >>> from ls_keras.representation import nearest_classes
    >>> nearest_classes(np.array([[0.0, 5.0, 1.0, 2.0]]), 0)
    (2, 3)
    """
    w = as_array(as_templates(templates), "templates").astype(np.float64)
    num_classes = w.shape[1]
    class_id = as_count(class_id, "class_id", 0, num_classes - 1)
    as_count(count, "count", 1, num_classes - 1)
    squares = np.sum((w - w[:, class_id, None]) ** 2, axis=0)
    squares[class_id] = np.inf
    return tuple(int(k) for k in np.argsort(squares, kind="stable")[:count])


def as_templates(templates):
    """Returns templates as a float tensor `(D, K)`, D ≥ 1, K ≥ 2.

    Raises:
        InputError: If the shape is different or, in eager mode, values are NaN or infinite.
    """
    w = as_tensor(templates, "templates")
    if len(w.shape) != 2 or w.shape[0] < 1 or w.shape[1] < 2:
        raise InputError(
            "Expected templates of shape (features, K), with the bias as last row and K ≥ 2 "
            f"classes. Received: shape {tuple(w.shape)}"
        )
    values = to_numpy_or_none(w)
    if values is not None and not (np.abs(values.astype(np.float64)) < MAX_FEATURE).all():
        raise InputError(
            f"Expected finite templates below {MAX_FEATURE:g}. "
            "Received: templates with larger values, NaN or infinity"
        )
    # 16 bits are too few for a difference of squares.
    return w if keras.backend.standardize_dtype(w.dtype) == "float64" else ops.cast(w, "float32")


def check_classes(classes: Sequence[int], num_classes: int) -> None:
    """Raises an `InputError` unless all `classes` are different and in `[0, num_classes)`."""
    wrong = [c for c in classes if not 0 <= c < num_classes]
    if wrong:
        raise InputError(f"Expected classes in [0, {num_classes}). Received: {wrong[0]}")
    if len(set(classes)) < len(classes):
        raise InputError(f"Expected different classes. Received: {tuple(classes)}")

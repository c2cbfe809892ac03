"""The plane through three class templates, and projections onto it: Figure 1 of the paper."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_base.short_repr import Fields
from ls_keras.backend.tensors import as_array
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_counts, as_number
from ls_keras.representation.penultimate import with_one
from ls_keras.representation.template_distances import as_templates, check_classes


@dataclass(frozen=True, eq=False, repr=False)
class TemplatePlane(Fields):
    """An orthonormal basis of the plane through three templates.

    Attributes:
        classes: The three classes.
        origin: float64 `(D,)`: the mean of the three templates.
        axes: float64 `(D, 2)`, orthonormal columns. The first points from the first template to
            the second; the third lies above (its second coordinate is the largest).
        corners: float64 `(3, 2)`: the templates' coordinates.
    """

    classes: tuple[int, int, int]
    origin: np.ndarray
    axes: np.ndarray
    corners: np.ndarray


def template_plane(templates, classes: Sequence[int], *, tolerance: float = 1e-5) -> TemplatePlane:
    """Returns an orthonormal basis of the plane through three class templates.

    Gram and Schmidt's: a₁ along w₂ − w₁, a₂ along what is left of w₃ − w₁. Computed on the host
    in float64: three columns, whatever the number of classes.

    Args:
        templates: Tensor `(D, K)`, features × classes as in a Keras kernel, the bias as last row,
            as `ls_keras.representation.templates` returns them.
        classes: Three different classes.
        tolerance: How flat the triangle may be: its height over its longest side.

    Raises:
        InputError: If there are not three classes, one is unknown or repeated, or the templates
            lie on a line.

    Example:
        >>> import numpy as np
        >>> from ls_keras.representation import project, template_plane
        >>> templates = np.eye(4)[:, :3]
        >>> plane = template_plane(templates, (0, 1, 2))
        >>> np.round(plane.corners, 3) + 0.0
        array([[-0.707, -0.408],
               [ 0.707, -0.408],
               [ 0.   ,  0.816]])

    References:
        Müller et al., When Does Label Smoothing Help?, NeurIPS 2019 (arXiv 1906.02629), section 2
    """
    w = as_array(as_templates(templates), "templates").astype(np.float64)
    classes = as_counts(classes, "classes")
    if len(classes) != 3:
        raise InputError(f"Expected three classes. Received: {len(classes)}, {shown(classes)}")
    as_number(tolerance, "tolerance", low=0)
    check_classes(classes, w.shape[1])
    corners = w[:, list(classes)]
    sides = corners[:, 1:] - corners[:, :1]
    third = corners[:, 2] - corners[:, 1]
    longest = max(np.linalg.norm(sides[:, 0]), np.linalg.norm(sides[:, 1]), np.linalg.norm(third))
    first = sides[:, 0] / max(np.linalg.norm(sides[:, 0]), np.finfo(float).tiny)
    left = sides[:, 1] - first * (first @ sides[:, 1])
    left -= first * (first @ left)  # once more: the first subtraction leaves rounding along it
    height = np.linalg.norm(left)
    if not height > tolerance * longest or not np.linalg.norm(sides[:, 0]) > tolerance * longest:
        raise InputError(
            "Expected three templates that span a plane. "
            f"Received: those of classes {classes} lie on a line (height {height:.3g} over "
            f"a longest side of {longest:.3g})"
        )
    axes = np.stack([first, left / height], axis=1)
    origin = corners.mean(axis=1)
    return TemplatePlane(
        tuple(int(c) for c in classes),  # type: ignore[arg-type]
        origin,
        axes,
        (corners - origin[:, None]).T @ axes,
    )


def check_plane(plane) -> None:
    """Raises an `InputError` unless it is a `TemplatePlane`."""
    if not isinstance(plane, TemplatePlane):
        raise InputError(f"Expected plane to be a TemplatePlane. Received: {shown(plane)}")


def project(activations, plane: TemplatePlane):
    r"""Projects activations orthogonally onto a plane: `((x − origin) · a₁, (x − origin) · a₂)`.

    Args:
        activations: Tensor `(..., D)`; with one feature less than the templates, a 1 is appended.
        plane: What `template_plane` returned.

    Returns:
        float32 tensor `(..., 2)`.

    Raises:
        InputError: If the activations have another number of features.

    Example:
        >>> import numpy as np
        >>> from ls_keras.representation import project, template_plane
        >>> plane = template_plane(np.eye(4)[:, :3], (0, 1, 2))
        >>> [round(float(c), 3) + 0.0 for c in project(np.full(4, 1 / 3), plane)]
        [0.0, 0.0]
    """
    check_plane(plane)
    x = ops.cast(ops.convert_to_tensor(with_one(activations, len(plane.origin))), "float32")
    origin = ops.convert_to_tensor(plane.origin.astype(np.float32))
    axes = ops.convert_to_tensor(plane.axes.astype(np.float32))
    return ops.matmul(x - origin, axes)

"""Projection of activations onto the plane of three class templates: Figure 1 of the paper."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from ls_base.brief_repr import BriefRepr, brief_repr
from ls_keras.backend.tensors import as_array, as_tensor
from ls_keras.errors import InputError, shown
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_counts, as_names, as_number, as_seed
from ls_keras.representation.class_statistics import read_class_values
from ls_keras.representation.penultimate import append_bias_feature
from ls_keras.representation.template_distances import as_templates, check_classes


@dataclass(frozen=True, eq=False, repr=False)
class TemplatePlane(BriefRepr):
    """An orthonormal basis of the plane through three templates.

    Attributes:
        classes: The three classes.
        origin: float64 `(D,)`: the mean of the three templates.
        axes: float64 `(D, 2)`, orthonormal columns. The first points from the first template to
            the second; the third template has the largest second coordinate.
        corners: float64 `(3, 2)`: the coordinates of the templates.
    """

    classes: tuple[int, int, int]
    origin: np.ndarray
    axes: np.ndarray
    corners: np.ndarray


def template_plane(templates, classes: Sequence[int], *, tolerance: float = 1e-5) -> TemplatePlane:
    """Returns an orthonormal basis of the plane through three class templates.

    Gram–Schmidt in float64: a₁ along w₂ − w₁, a₂ along the rest of w₃ − w₁.

    Args:
        templates: Tensor `(D, K)`, features × classes as in a Keras kernel, with the bias as the
            last row, as returned by `ls_keras.representation.templates`.
        classes: Three different classes.
        tolerance: Smallest height of the triangle relative to its longest side. Default: 1e-5.

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
    first, second = (corners[:, 1:] - corners[:, :1]).T
    base = np.linalg.norm(first)
    longest = max(base, np.linalg.norm(second), np.linalg.norm(second - first))
    axis = first / max(base, np.finfo(float).tiny)
    rest = second - axis * (axis @ second)
    rest -= axis * (axis @ rest)  # twice, to remove the rounding error of the first subtraction
    height = np.linalg.norm(rest)
    if not min(height, base) > tolerance * longest:
        raise InputError(
            "Expected three templates that span a plane. "
            f"Received: those of classes {classes} lie on a line (height {height:.3g} over "
            f"a longest side of {longest:.3g})"
        )
    axes = np.stack([axis, rest / height], axis=1)
    origin = corners.mean(axis=1)
    return TemplatePlane(
        tuple(int(c) for c in classes),  # type: ignore[arg-type]
        origin,
        axes,
        (corners - origin[:, None]).T @ axes,
    )


def project(activations, plane: TemplatePlane):
    r"""Projects activations orthogonally onto a plane: `((x − origin) · a₁, (x − origin) · a₂)`.

    Args:
        activations: Tensor `(..., D)`; with one feature less than the templates, a 1 is appended.
        plane: The plane, from `template_plane`.

    Returns:
        float32 tensor `(..., 2)`.

    Raises:
        InputError: If the number of features does not match.

    Example:
        >>> import numpy as np
        >>> from ls_keras.representation import project, template_plane
        >>> plane = template_plane(np.eye(4)[:, :3], (0, 1, 2))
        >>> [round(float(c), 3) + 0.0 for c in project(np.full(4, 1 / 3), plane)]
        [0.0, 0.0]
    """
    _check_plane(plane)
    x = append_bias_feature(activations, len(plane.origin))
    x = ops.cast(as_tensor(x, "activations"), "float32")
    origin = ops.convert_to_tensor(plane.origin.astype(np.float32))
    axes = ops.convert_to_tensor(plane.axes.astype(np.float32))
    return ops.matmul(x - origin, axes)


@dataclass(frozen=True, eq=False, repr=False)
class Projection(BriefRepr):
    """Examples of three classes in the plane of their templates.

    Attributes:
        classes: The three classes.
        names: Their names.
        labels: int64 `(n,)`: the class of each example.
        coordinates: float64 `(n, 2)`.
        corners: float64 `(3, 2)`: the coordinates of the templates.
    """

    classes: tuple[int, int, int]
    names: tuple[str, ...]
    labels: np.ndarray
    coordinates: np.ndarray
    corners: np.ndarray


class ProjectionSampler:
    """Computes `project_classes` batch by batch; stores coordinates of the sample only.

    Args:
        plane: The plane through the templates of the three classes.
        num_classes: K.
        per_class: Examples to keep of each class. Default: 100.
        seed: Seed of the sample, which depends on the order of the examples but not on the
            batches. Default: 0.
    """

    def __init__(
        self, plane: TemplatePlane, num_classes: int, *, per_class: int = 100, seed: int = 0
    ):
        _check_plane(plane)
        self.plane, self.num_classes = plane, as_count(num_classes, "num_classes", 3)
        self.per_class, seed = as_count(per_class, "per_class", 1), as_seed(seed)
        self._streams = [np.random.default_rng([seed, i]) for i in range(3)]
        # Each example gets a random key; the examples with the smallest keys are kept.
        self._keys = [np.empty(0) for _ in range(3)]
        self._coordinates = [np.empty((0, 2)) for _ in range(3)]

    def __repr__(self) -> str:
        examples = sum(map(len, self._keys))
        return brief_repr(
            self, classes=self.plane.classes, per_class=self.per_class, examples=examples
        )

    def update(self, y_true, activations, *, mask=None, ignore_class: IgnoreClass = None) -> None:
        """Adds a batch; see `project_classes` for the arguments."""
        labels, values = read_class_values(
            y_true, activations, self.num_classes, mask=mask, ignore_class=ignore_class
        )
        for i, class_id in enumerate(self.plane.classes):
            own = values[labels == class_id]
            keys = np.concatenate([self._keys[i], self._streams[i].random(len(own))])
            kept = np.argsort(keys, kind="stable")[: self.per_class]
            new = kept[kept >= len(self._keys[i])] - len(self._keys[i])
            coordinates = np.concatenate([self._coordinates[i], np.empty((len(own), 2))])
            if len(new):
                rows = append_bias_feature(own[new].astype(np.float32), len(self.plane.origin))
                coordinates[len(self._keys[i]) + new] = (
                    rows - self.plane.origin.astype(np.float32)
                ) @ self.plane.axes.astype(np.float32)
            self._keys[i], self._coordinates[i] = keys[kept], coordinates[kept]

    def result(self, class_names: Sequence[str] | None = None) -> Projection:
        """Returns the sample.

        Args:
            class_names: Names of all K classes. Default: their numbers.

        Raises:
            InputError: If a class has no example.
        """
        if class_names is not None:
            class_names = as_names(class_names, "class_names", max(self.plane.classes) + 1)
        counts = [len(c) for c in self._coordinates]
        names = tuple(str(c) if class_names is None else class_names[c] for c in self.plane.classes)
        if not min(counts):
            missing = names[counts.index(0)]
            raise InputError(
                f"Expected examples of all three classes. Received: none of class {missing!r}"
            )
        return Projection(
            self.plane.classes,
            names,
            np.repeat(np.asarray(self.plane.classes), counts),
            np.concatenate(self._coordinates),
            self.plane.corners,
        )


def project_classes(
    y_true,
    activations,
    plane: TemplatePlane,
    *,
    num_classes: int,
    per_class: int = 100,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    mask=None,
    ignore_class: IgnoreClass = None,
) -> Projection:
    """Projects a random sample of each of three classes onto the plane of their templates.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, of any class.
        activations: Tensor `(..., D)`; with one feature less than the templates, a 1 is appended.
        plane: The plane, from `template_plane`.
        num_classes: K, for checking the labels.
        per_class: Examples of each class; all, if there are fewer. Default: 100, as in the paper.
        seed: Seed of the sample. Default: 0.
        class_names: Names of all K classes. Default: their numbers.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Raises:
        InputError: If one of the classes has no example, or the arguments do not match.

    Example:
    >>> import numpy as np
    >>> from ls_keras.representation import project_classes, template_plane
    >>> plane = template_plane(np.eye(4), (0, 1, 3))
    >>> y_true = np.arange(40) % 4
    >>> found = project_classes(y_true, np.eye(4)[y_true], plane, num_classes=4, per_class=5)
    >>> found.coordinates.shape, bool(np.allclose(found.coordinates[0], plane.corners[0]))
    ((15, 2), True)
    """
    sampler = ProjectionSampler(plane, num_classes, per_class=per_class, seed=seed)
    sampler.update(y_true, activations, mask=mask, ignore_class=ignore_class)
    return sampler.result(class_names)


def _check_plane(plane) -> None:
    if not isinstance(plane, TemplatePlane):
        raise InputError(f"Expected plane to be a TemplatePlane. Received: {shown(plane)}")

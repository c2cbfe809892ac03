"""Some examples of three classes, projected: what one panel of Figure 1 shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from ls_base.brief_repr import BriefRepr, brief_repr
from ls_base.errors import InputError
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_names, as_seed
from ls_keras.representation.host_labels import read_host_labels
from ls_keras.representation.penultimate import with_one
from ls_keras.representation.template_plane import TemplatePlane, check_plane, project


@dataclass(frozen=True, eq=False, repr=False)
class Projection(BriefRepr):
    """Examples of three classes on the plane of their templates.

    Attributes:
        classes: The three classes.
        names: What they are called.
        labels: int64 `(n,)`: each example's class.
        coordinates: float64 `(n, 2)`.
        corners: float64 `(3, 2)`: the templates' coordinates.
    """

    classes: tuple[int, int, int]
    names: tuple[str, ...]
    labels: np.ndarray
    coordinates: np.ndarray
    corners: np.ndarray


class ProjectionSampler:
    """`project_classes`, batch by batch: holds the coordinates of the sample, no activations.

    Args:
        plane: The plane through the three classes' templates.
        num_classes: K.
        per_class: Examples to keep of each class.
        seed: Of the draw, which depends on the order of the examples, not on the batches.
    """

    def __init__(
        self, plane: TemplatePlane, num_classes: int, *, per_class: int = 100, seed: int = 0
    ):
        check_plane(plane)
        self.plane, self.num_classes = plane, as_count(num_classes, "num_classes", 3)
        self.per_class, seed = as_count(per_class, "per_class", 1), as_seed(seed)
        self._streams = [np.random.default_rng([seed, i]) for i in range(3)]
        # Of each class: the examples with the smallest keys so far.
        self._keys = [np.empty(0) for _ in range(3)]
        self._coordinates = [np.empty((0, 2)) for _ in range(3)]

    def __repr__(self) -> str:
        return brief_repr(
            self,
            classes=self.plane.classes,
            per_class=self.per_class,
            examples=sum(map(len, self._keys)),
        )

    def update(self, y_true, activations, *, mask=None, ignore_class: IgnoreClass = None) -> None:
        """Adds a batch; arguments as of `project_classes`."""
        labels, values = read_host_labels(
            y_true, activations, self.num_classes, mask=mask, ignore_class=ignore_class
        )
        for i, class_id in enumerate(self.plane.classes):
            own = values[labels == class_id]
            keys = np.concatenate([self._keys[i], self._streams[i].random(len(own))])
            kept = np.argsort(keys, kind="stable")[: self.per_class]
            new = kept[kept >= len(self._keys[i])] - len(self._keys[i])
            coordinates = np.concatenate([self._coordinates[i], np.empty((len(own), 2))])
            if len(new):
                rows = with_one(own[new].astype(np.float32), len(self.plane.origin))
                # Few shapes, whatever a batch holds: XLA compiles each.
                padded = np.zeros((1 << (len(rows) - 1).bit_length(), rows.shape[1]), np.float32)
                padded[: len(rows)] = rows
                projected = ops.convert_to_numpy(project(padded, self.plane))[: len(rows)]
                coordinates[len(self._keys[i]) + new] = projected
            self._keys[i], self._coordinates[i] = keys[kept], coordinates[kept]

    def result(self, class_names: Sequence[str] | None = None) -> Projection:
        """Returns the sample.

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
        plane: What `template_plane` returned.
        num_classes: K, to check the labels against.
        per_class: Examples a class; all, where there are fewer. The paper shows 100.
        seed: Of the draw.
        class_names: Names of all K classes. Default: their numbers.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count, such as padding.

    Raises:
        InputError: If one of the classes has no example, or the arguments don't belong together.

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

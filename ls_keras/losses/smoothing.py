"""Where the mass that smoothing takes off the target goes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError


class Spread(NamedTuple):
    """A distribution over the classes: by class or by position, one of the two.

    Attributes:
        prior: float64 array `(K,)`, the same for every position, or `None`.
        ids: int32 tensor `(..., J)`: the classes that get mass at each position, or `None`.
        weights: float32 tensor `(..., J)` that sums to 1 over the last axis, or `None`.
    """

    prior: np.ndarray | None = None
    ids: Any = None
    weights: Any = None


class Smoothing:
    """Base of the smoothings: a distribution q, of which the targets get α.

    y_k^LS = (1 − α) y_k + α q_k

    A subclass implements `spread` and `get_config`, and registers itself for serialization.
    """

    def spread(self, labels, valid, num_classes: int) -> Spread:
        """Returns q.

        Args:
            labels: int32 tensor `(...)`, or `None` for dense targets.
            valid: Boolean tensor `(...)`, false where a position is ignored, or `None`.
            num_classes: K.
        """
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """Makes the smoothing from `get_config()`."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        text = f"{type(self).__name__}({arguments})"
        return text if len(text) < 200 else f"{text[:190]} ...)"

    def __eq__(self, other) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash(type(self))


@keras.saving.register_keras_serializable(package="ls_keras")
class Uniform(Smoothing):
    """The same for every class: the paper's smoothing.

    q_k = 1 / (K − |E|) for classes not in E, 0 for those in E

    Args:
        exclude: Ids of classes E that never occur as labels (padding, start token) and shall get
            nothing. With the padding class excluded, α = ε(V − 1)/(V − 2) gives ε/(V − 2) to each
            of the other classes (OpenNMT-py, JoeyNMT). Default: none.

    Raises:
        InputError: If `exclude` holds anything but distinct non-negative integers.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.SmoothedCE(0.1, smoothing=ls_keras.Uniform(exclude=[0]))

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """

    def __init__(self, exclude: Sequence[int] = ()):
        self.exclude = _class_ids(exclude)

    def spread(self, labels, valid, num_classes: int) -> Spread:
        """Returns q, see `Smoothing.spread`."""
        return Spread(_without(np.ones(num_classes), self.exclude))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {"exclude": list(self.exclude)}


@keras.saving.register_keras_serializable(package="ls_keras")
class Unigram(Smoothing):
    """In proportion to how often a class occurs as a label.

    q_k ∝ counts_k + pseudo_count, 0 for excluded classes

    Args:
        counts: `(K,)` non-negative numbers: how often each class occurs in the training labels.
        pseudo_count: Added to every count, so that unseen classes get some mass. Default: 1.
        exclude: Ids of classes that shall get nothing. Default: none.

    Raises:
        InputError: If counts are negative or not finite, or if no class is left with any mass.

    Example:
    ```python
    >>> import ls_keras
    >>> ls_keras.Unigram([7, 1, 0]).spread(None, None, 3).prior.round(3).tolist()
    [0.727, 0.182, 0.091]

    ```

    References:
        [Chorowski & Jaitly, 2016](https://arxiv.org/abs/1612.02695);
        [Pereyra et al., 2017](https://arxiv.org/abs/1701.06548).
    """

    def __init__(self, counts, pseudo_count: float = 1, exclude: Sequence[int] = ()):
        self.counts = _vector(counts, "counts")
        self.pseudo_count = float(_vector([pseudo_count], "pseudo_count")[0])
        self.exclude = _class_ids(exclude)
        self._prior = _without(self.counts + self.pseudo_count, self.exclude)

    def spread(self, labels, valid, num_classes: int) -> Spread:
        """Returns q, see `Smoothing.spread`."""
        return Spread(_of_length(self._prior, num_classes, "counts"))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {
            "counts": self.counts.tolist(),
            "pseudo_count": self.pseudo_count,
            "exclude": list(self.exclude),
        }


@keras.saving.register_keras_serializable(package="ls_keras")
class Prior(Smoothing):
    """As given.

    q_k = probabilities_k

    Args:
        probabilities: `(K,)` non-negative numbers whose sum is 1 to within 1e-3; they are
            renormalized to sum to 1 exactly.

    Raises:
        InputError: If they are negative, not finite, or sum to something else.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.SmoothedCE(0.1, smoothing=ls_keras.Prior([0.5, 0.25, 0.25]))

    ```

    References:
        [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567), section 7: u(k).
    """

    def __init__(self, probabilities):
        self.probabilities = _vector(probabilities, "probabilities")
        total = self.probabilities.sum()
        if abs(total - 1) > 1e-3:
            raise InputError(f"Expected probabilities that sum to 1. Received: a sum of {total:g}")

    def spread(self, labels, valid, num_classes: int) -> Spread:
        """Returns q, see `Smoothing.spread`."""
        prior = self.probabilities / self.probabilities.sum()
        return Spread(_of_length(prior, num_classes, "probabilities"))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {"probabilities": self.probabilities.tolist()}


@keras.saving.register_keras_serializable(package="ls_keras")
class Neighborhood(Smoothing):
    """The labels around the position in the same sequence.

    q_k(t) = Σ_d w_d [y_{t+d} = k] / Σ_d w_d, over d = ±1, ±2, … with a label at t + d

    Positions outside the sequence and ignored ones have no label; where no neighbor is left, the
    mass stays on the target.

    Args:
        weights: The weight of the neighbors at ±1, ±2, and so on. Default: `(5, 2)`.

    Raises:
        InputError: If weights are negative, not finite, or all zero; when used, if the targets
            are not integers of shape `(batch, time)`.

    Example:
    ```python
    >>> import ls_keras
    >>> targets = ls_keras.smooth_labels([[0, 1, 2]], 0.7, 3, smoothing="neighborhood")
    >>> float(targets[0, 1, 0]).__round__(3), float(targets[0, 0, 2]).__round__(3)
    (0.35, 0.2)

    ```

    References:
        [Chorowski & Jaitly, 2016](https://arxiv.org/abs/1612.02695), section 2.3.
    """

    def __init__(self, weights: Sequence[float] = (5, 2)):
        self.weights = tuple(_vector(weights, "weights").tolist())
        if not sum(self.weights):
            raise InputError(f"Expected a weight above 0. Received: weights={self.weights}")

    def spread(self, labels, valid, num_classes: int) -> Spread:
        """Returns q, see `Smoothing.spread`."""
        if labels is None or len(labels.shape) != 2:
            raise InputError(
                "Expected integer targets of shape (batch, time) for neighborhood smoothing. "
                f"Received: {'dense targets' if labels is None else tuple(labels.shape)}"
            )
        reach = len(self.weights)
        valid = ops.ones_like(labels) if valid is None else ops.cast(valid, "int32")
        around = [[0, 0], [reach, reach]]
        ids, weights = [], []
        for distance, weight in enumerate(self.weights, start=1):
            for offset in (-distance, distance):
                there = slice(reach + offset, (offset - reach) or None)
                present = ops.cast(ops.pad(valid, around)[:, there], "bool")
                # An absent neighbor takes the target's id: its logit is finite where any is.
                ids.append(ops.where(present, ops.pad(labels, around)[:, there], labels))
                weights.append(ops.cast(present, "float32") * weight)
        total = sum(weights)
        weights = [w / ops.where(total > 0, total, 1.0) for w in weights]
        ids.append(labels)
        weights.append(ops.cast(ops.equal(total, 0), "float32"))
        return Spread(None, ops.stack(ids, axis=-1), ops.stack(weights, axis=-1))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {"weights": list(self.weights)}


def serialize(smoothing: Smoothing) -> dict:
    """Returns the configuration that `deserialize` reads.

    Args:
        smoothing: A smoothing.

    Example:
    ```python
    >>> from ls_keras.losses import Uniform, deserialize, serialize
    >>> deserialize(serialize(Uniform(exclude=[0])))
    Uniform(exclude=[0])

    ```
    """
    return keras.saving.serialize_keras_object(smoothing)


def deserialize(config: dict, custom_objects: dict | None = None) -> Smoothing:
    """Returns the smoothing that `serialize` wrote.

    Args:
        config: What `serialize` returned.
        custom_objects: Classes by name, for those that are not registered.
    """
    return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)


def get(identifier) -> Smoothing:
    """Returns a smoothing by name, configuration or object.

    Args:
        identifier: `"uniform"`, `"neighborhood"`, what `serialize` returned, or a `Smoothing`
            (`Unigram` and `Prior` need their arguments, so they have no name).

    Raises:
        InputError: If there is no such smoothing.

    Example:
    ```python
    >>> from ls_keras.losses import get
    >>> get("neighborhood")
    Neighborhood(weights=[5.0, 2.0])

    ```
    """
    if isinstance(identifier, Smoothing):
        return identifier
    if isinstance(identifier, dict):
        smoothing = deserialize(identifier)
        if isinstance(smoothing, Smoothing):
            return smoothing
    elif identifier == "uniform":
        return Uniform()
    elif identifier == "neighborhood":
        return Neighborhood()
    elif identifier in ("unigram", "prior"):
        example = "Unigram(counts)" if identifier == "unigram" else "Prior(probabilities)"
        raise InputError(
            f"Expected the object ls_keras.{example}, which needs its argument. "
            f"Received: smoothing={identifier!r}"
        )
    raise InputError(
        "Expected smoothing to be 'uniform', 'neighborhood', or an object such as "
        f"ls_keras.Unigram(counts). Received: {identifier!r}"
    )


def _vector(values, name: str) -> np.ndarray:
    try:
        vector = np.asarray(values, dtype="float64")
    except (TypeError, ValueError):
        raise InputError(f"Expected {name} to be numbers. Received: {values!r}") from None
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all() or (vector < 0).any():
        raise InputError(
            f"Expected {name} to be non-negative, finite numbers in one dimension. Received: "
            f"{np.array2string(vector, threshold=10)}"
        )
    return vector


def _class_ids(exclude) -> tuple[int, ...]:
    ids = np.asarray(exclude)
    if ids.size == 0:
        return ()
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or (ids < 0).any():
        raise InputError(f"Expected exclude to be class ids ≥ 0. Received: {exclude!r}")
    return tuple(sorted({int(i) for i in ids}))


def _without(mass: np.ndarray, exclude: tuple[int, ...]) -> np.ndarray:
    if exclude and exclude[-1] >= mass.size:
        raise InputError(
            f"Expected class ids to exclude in [0, {mass.size}). Received: {exclude[-1]}"
        )
    mass = mass.copy()
    mass[list(exclude)] = 0
    if not mass.sum():
        raise InputError(f"Expected a class with mass left to smooth to. Received: {exclude=}")
    return mass / mass.sum()


def _of_length(prior: np.ndarray, num_classes: int, name: str) -> np.ndarray:
    if prior.size != num_classes:
        raise InputError(
            f"Expected as many {name} as the predictions have classes, {num_classes}. "
            f"Received: {prior.size} {name}"
        )
    return prior

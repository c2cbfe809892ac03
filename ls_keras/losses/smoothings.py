"""Smoothings: the distribution q over the classes that gets the mass α of the targets.

Uniform, by label frequency, given, or by the labels around a position.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from ls_base.brief_repr import brief_repr
from ls_keras.backend.tensors import as_array
from ls_keras.errors import InputError, shown
from ls_keras.inputs.registry import LOSSES, deserialize
from ls_keras.inputs.validation import as_counts


class TargetDistribution(NamedTuple):
    """A distribution over the classes, either the same for all positions or one per position.

    Attributes:
        prior: float64 array `(K,)`, the same for every position, or `None`.
        ids: int32 tensor `(..., J)`: the classes that get mass at each position, or `None`.
        weights: float32 tensor `(..., J)` that sums to 1 over the last axis, or `None`.
    """

    prior: np.ndarray | None = None
    ids: Any = None
    weights: Any = None


class Smoothing:
    """Base class of smoothings: a distribution q over the classes that gets the mass α.

    y_k^LS = (1 − α) y_k + α q_k

    A subclass implements `distribution` and `get_config`, and is decorated with
    `keras.saving.register_keras_serializable()`.
    """

    def distribution(self, labels, valid, num_classes: int) -> TargetDistribution:
        """Returns q.

        Args:
            labels: int32 tensor `(...)`, or `None` for dense targets.
            valid: Boolean tensor `(...)`, false where a position is ignored, or `None`.
            num_classes: K.
        """
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON values."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """Returns the smoothing of a configuration from `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return brief_repr(self, **{k: v for k, v in self.get_config().items() if v != []})

    def __eq__(self, other) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash(type(self))


LOSSES.bases.append(Smoothing)


@LOSSES.register("uniform")
class Uniform(Smoothing):
    """Uniform smoothing, the same mass for every class, as in the paper.

    q_k = 1 / (K − |E|) for classes not in E, 0 for those in E

    Args:
        exclude: Ids of classes E that get no mass, since they never occur as labels (padding, start
            token). With the padding class excluded, α = ε(V − 1)/(V − 2) gives ε/(V − 2) to each
            of the other classes (OpenNMT-py, JoeyNMT). Default: none.

    Raises:
        InputError: If `exclude` contains anything but non-negative integers.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.SmoothedCE(0.1, smoothing=ls_keras.Uniform(exclude=[0]))

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """

    def __init__(self, exclude: Sequence[int] = ()):
        self.exclude = tuple(sorted(set(as_counts(exclude, "exclude"))))

    def distribution(self, labels, valid, num_classes: int) -> TargetDistribution:
        """Returns q; see `Smoothing.distribution`."""
        return TargetDistribution(_normalize_without(np.ones(num_classes), self.exclude))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {"exclude": list(self.exclude)}


@LOSSES.register("unigram")
class Unigram(Smoothing):
    """Unigram smoothing, in proportion to the frequency of each class among the labels.

    q_k ∝ counts_k + pseudo_count, 0 for excluded classes

    Args:
        counts: `(K,)` non-negative numbers: how often each class occurs in the training labels.
        pseudo_count: Added to every count, so that unseen classes get some mass. Default: 1.
        exclude: Ids of classes that get no mass. Default: none.

    Raises:
        InputError: If counts are negative or not finite, or if no class has any mass.

    Example:
    ```python
    >>> import ls_keras
    >>> ls_keras.Unigram([7, 1, 0]).distribution(None, None, 3).prior.round(3).tolist()
    [0.727, 0.182, 0.091]

    ```

    References:
        [Chorowski & Jaitly, 2016](https://arxiv.org/abs/1612.02695);
        [Pereyra et al., 2017](https://arxiv.org/abs/1701.06548).
    """

    def __init__(self, counts, pseudo_count: float = 1, exclude: Sequence[int] = ()):
        self.counts = check_masses(counts, "counts")
        self.pseudo_count = float(check_masses([pseudo_count], "pseudo_count")[0])
        self.exclude = tuple(sorted(set(as_counts(exclude, "exclude"))))
        self._prior = _normalize_without(self.counts + self.pseudo_count, self.exclude)

    def distribution(self, labels, valid, num_classes: int) -> TargetDistribution:
        """Returns q; see `Smoothing.distribution`."""
        return TargetDistribution(_check_length(self._prior, num_classes, "counts"))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {
            "counts": self.counts.tolist(),
            "pseudo_count": self.pseudo_count,
            "exclude": list(self.exclude),
        }


@LOSSES.register("prior")
class Prior(Smoothing):
    """Smoothing towards a given distribution, the same at every position.

    q_k = probabilities_k

    Args:
        probabilities: `(K,)` non-negative numbers whose sum is 1 to within 1e-3; they are
            normalized to sum to 1 exactly.

    Raises:
        InputError: If they are negative or not finite, or do not sum to 1.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.SmoothedCE(0.1, smoothing=ls_keras.Prior([0.5, 0.25, 0.25]))

    ```

    References:
        [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567), section 7: u(k).
    """

    def __init__(self, probabilities):
        self.probabilities = check_masses(probabilities, "probabilities")
        total = self.probabilities.sum()
        if abs(total - 1) > 1e-3:
            raise InputError(f"Expected probabilities that sum to 1. Received: a sum of {total:g}")

    def distribution(self, labels, valid, num_classes: int) -> TargetDistribution:
        """Returns q; see `Smoothing.distribution`."""
        prior = self.probabilities / self.probabilities.sum()
        return TargetDistribution(_check_length(prior, num_classes, "probabilities"))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {"probabilities": self.probabilities.tolist()}


@LOSSES.register("neighborhood")
class Neighborhood(Smoothing):
    """Neighborhood smoothing, towards the labels around a position in the same sequence.

    q_k(t) = Σ_d w_d [y_{t+d} = k] / Σ_d w_d, over d = ±1, ±2, … with a label at t + d

    Positions that are outside the sequence, ignored, masked or of weight 0 have no label. Where no
    neighbor has one, the mass stays on the target.

    Args:
        weights: The weights of the neighbors at ±1, ±2, and so on. Default: `(5, 2)`.

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
        self.weights = tuple(check_masses(weights, "weights").tolist())
        if not sum(self.weights):
            raise InputError(f"Expected a weight above 0. Received: weights={self.weights}")

    def distribution(self, labels, valid, num_classes: int) -> TargetDistribution:
        """Returns q; see `Smoothing.distribution`."""
        if labels is None or len(labels.shape) != 2:
            raise InputError(
                "Expected integer targets of shape (batch, time) for neighborhood smoothing. "
                f"Received: {'dense targets' if labels is None else tuple(labels.shape)}"
            )
        reach = len(self.weights)
        valid = ops.ones_like(labels) if valid is None else ops.cast(valid, "int32")
        padding = [[0, 0], [reach, reach]]
        ids, weights = [], []
        for distance, weight in enumerate(self.weights, start=1):
            for offset in (-distance, distance):
                window = slice(reach + offset, (offset - reach) or None)
                present = ops.cast(ops.pad(valid, padding)[:, window], "bool")
                # An absent neighbor takes the target's id: its logit is finite where any is.
                ids.append(ops.where(present, ops.pad(labels, padding)[:, window], labels))
                weights.append(ops.cast(present, "float32") * weight)
        total = sum(weights)
        weights = [w / ops.where(total > 0, total, 1.0) for w in weights]
        ids.append(labels)
        weights.append(ops.cast(ops.equal(total, 0), "float32"))
        return TargetDistribution(None, ops.stack(ids, axis=-1), ops.stack(weights, axis=-1))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {"weights": list(self.weights)}


def get_smoothing(identifier) -> Smoothing:
    """Returns a smoothing by name, configuration or object.

    Args:
        identifier: `"uniform"`, `"neighborhood"`, a configuration that Keras serialized, or a
            `Smoothing` (`Unigram` and `Prior` need an argument, so a name is not enough).

    Raises:
        InputError: If there is no such smoothing.
    """
    if isinstance(identifier, Smoothing):
        return identifier
    if isinstance(identifier, str):
        cls: Any = LOSSES.entries.get(identifier)
        if cls in (Unigram, Prior):
            raise InputError(
                f"Expected the object ls_keras.{cls.__name__}(...), which needs its argument. "
                f"Received: smoothing={identifier!r}"
            )
        if isinstance(cls, type) and issubclass(cls, Smoothing):
            return cls()
    elif isinstance(identifier, dict):
        smoothing = deserialize(identifier, "a smoothing")
        if isinstance(smoothing, Smoothing):
            return smoothing
    raise InputError(
        "Expected smoothing to be 'uniform', 'neighborhood', or an object such as "
        f"ls_keras.Unigram(counts). Received: {shown(identifier)}"
    )


def check_masses(values, name: str) -> np.ndarray:
    """Returns non-negative, finite numbers as a float64 array `(n,)`, n ≥ 1.

    Args:
        values: The numbers.
        name: The argument's name, for the message.

    Raises:
        InputError: If they are something else.
    """
    vector = as_array(values, name).astype(np.float64)
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all() or (vector < 0).any():
        raise InputError(
            f"Expected {name} to be non-negative, finite numbers in one dimension. Received: "
            f"{shown(values)}"
        )
    return vector


def _normalize_without(mass: np.ndarray, exclude: tuple[int, ...]) -> np.ndarray:
    if exclude and exclude[-1] >= mass.size:
        raise InputError(
            f"Expected class ids to exclude in [0, {mass.size}). Received: {exclude[-1]}"
        )
    mass = mass.copy()
    mass[list(exclude)] = 0
    if not mass.sum():
        but = f", all of them in exclude={shown(exclude)}" if exclude else ""
        raise InputError(f"Expected a class with mass to smooth to. Received: no mass{but}")
    return mass / mass.sum()


def _check_length(prior: np.ndarray, num_classes: int, name: str) -> np.ndarray:
    if prior.size != num_classes:
        raise InputError(
            f"Expected as many {name} as the predictions have classes, {num_classes}. "
            f"Received: {prior.size} {name}"
        )
    return prior

"""Smoothings that know the classes only: one distribution for every position."""

from collections.abc import Sequence

import keras
import numpy as np

from ls_base.errors import InputError
from ls_keras.inputs.validation import as_counts, shown
from ls_keras.losses.smoothing import Smoothing, Spread, masses


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
        self.counts = masses(counts, "counts")
        self.pseudo_count = float(masses([pseudo_count], "pseudo_count")[0])
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
    """A distribution that is given, the same at every position.

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
        self.probabilities = masses(probabilities, "probabilities")
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


def _class_ids(exclude) -> tuple[int, ...]:
    return tuple(sorted(set(as_counts(exclude, "exclude"))))


def _without(mass: np.ndarray, exclude: tuple[int, ...]) -> np.ndarray:
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


def _of_length(prior: np.ndarray, num_classes: int, name: str) -> np.ndarray:
    if prior.size != num_classes:
        raise InputError(
            f"Expected as many {name} as the predictions have classes, {num_classes}. "
            f"Received: {prior.size} {name}"
        )
    return prior

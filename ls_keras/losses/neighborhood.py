"""Smoothing by the labels around a position."""

from collections.abc import Sequence

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.losses.smoothing import Smoothing, Spread, masses


@keras.saving.register_keras_serializable(package="ls_keras")
class Neighborhood(Smoothing):
    """The labels around the position in the same sequence.

    q_k(t) = Σ_d w_d [y_{t+d} = k] / Σ_d w_d, over d = ±1, ±2, … with a label at t + d

    Positions outside the sequence have no label, nor do those that don't count: ignored, masked,
    of weight 0. Where no neighbor is left, the mass stays on the target.

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
        self.weights = tuple(masses(weights, "weights").tolist())
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

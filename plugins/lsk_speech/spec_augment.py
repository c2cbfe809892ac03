"""SpecAugment: random stretches of time and of frequency are hidden in training."""

import keras
from keras import ops

from ls_keras.errors import InputError
from lsk_speech.frontend import is_valid


@keras.saving.register_keras_serializable(package="ls_keras")
class SpecAugment(keras.layers.Layer):
    """Sets random runs of frames and of bands to 0, the mean of normalized features.

    Each of `time_masks` hides a run of frames whose share of the utterance is uniform in
    [0, `time_share`), each of `band_masks` a run of bands whose share of all bands is uniform in
    [0, `band_share`); where a run begins is uniform over the places where it fits. They may
    overlap. Acts where `training=True` is passed. Its random state is a variable, and so in
    checkpoints.

    Args:
        time_masks: Runs of frames. Default: 0.
        time_share: The longest run, as a share of the utterance. Default: 0.1.
        band_masks: Runs of bands. Default: 0.
        band_share: The widest run, as a share of the bands. Default: 0.2.
        groups: Into how many equal groups the features fall (bands, their differences, …); what
            is hidden of one, is hidden of all. Default: 1.
        seed: An integer; `None`: drawn from Keras's global seed.

    Call arguments:
        features: Float tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames. Default: all.
        training: Whether to hide anything. Default: `False`.

    Raises:
        InputError: If a number of runs is negative, a share outside [0, 1], or, when called, if the
            features don't fall into so many groups.

    Example:
    ```python
    >>> import numpy as np
    >>> from lsk_speech.spec_augment import SpecAugment
    >>> augment = SpecAugment(time_masks=1, time_share=0.5, seed=3)
    >>> hidden = np.asarray(augment(np.ones((1, 20, 2), "float32"), training=True)) == 0
    >>> 0 < int(hidden.all(axis=2).sum()) <= 10
    True

    ```

    References:
        Park et al. 2019, *SpecAugment* (arXiv 1904.08779), without time warping.
    """

    def __init__(
        self,
        *,
        time_masks: int = 0,
        time_share: float = 0.1,
        band_masks: int = 0,
        band_share: float = 0.2,
        groups: int = 1,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if min(time_masks, band_masks) < 0 or not (0 <= time_share <= 1 and 0 <= band_share <= 1):
            raise InputError(
                "Expected numbers of runs of at least 0 and shares in [0, 1]. Received: "
                f"{time_masks} and {band_masks}, {time_share} and {band_share}"
            )
        self.time_masks, self.time_share = time_masks, time_share
        self.band_masks, self.band_share = band_masks, band_share
        self.groups, self.seed = groups, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, features, length=None, training=False):
        """Hides what is drawn, or hands the features on."""
        width = features.shape[-1]
        if width % self.groups:
            raise InputError(
                f"Expected features that fall into {self.groups} equal groups. Received: {width}"
            )
        if not training or not (self.time_masks or self.band_masks):
            return features
        batch, frames = ops.shape(features)[0], ops.shape(features)[1]
        if length is None:
            length = ops.full((batch,), frames, dtype="int32")
        kept = is_valid(features, length)
        if self.time_masks:
            runs = self._runs(batch, self.time_masks, self.time_share, frames, length)
            kept = ops.logical_and(kept, ops.logical_not(runs)[:, :, None])
        if self.band_masks:
            bands = width // self.groups
            size = ops.full((batch,), bands, dtype="int32")
            runs = self._runs(batch, self.band_masks, self.band_share, bands, size)
            kept = ops.logical_and(kept, ops.logical_not(ops.tile(runs, (1, self.groups)))[:, None])
        return ops.where(kept, features, ops.zeros_like(features))

    def _runs(self, batch, count: int, share: float, places, size):
        """Returns which of `places` are hidden, batch × places, in runs within `size`."""
        # In float32 whatever the policy: 16 bits can't tell frames apart.
        draws = keras.random.uniform((2, batch, count), dtype="float32", seed=self.seed_generator)
        size = ops.cast(size, "float32")[:, None]
        run = ops.floor(draws[0] * share * size)  # batch × count
        start = ops.floor(draws[1] * (size - run + 1))
        place = ops.cast(ops.arange(places), "float32")[None, None]
        inside = ops.logical_and(place >= start[..., None], place < (start + run)[..., None])
        return ops.any(inside, axis=1)

    def compute_output_spec(self, features, length=None, training=False):
        """Returns the specification of the features: shape and dtype stay."""
        return keras.KerasTensor(features.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("time_masks", "time_share", "band_masks", "band_share", "groups", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

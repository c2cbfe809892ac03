"""SpecAugment: hides random time and frequency intervals in training, and shifts frequencies."""

import keras
import numpy as np
from keras import ops

from lsk_engine import InputError
from lsk_engine.devices.replicas import SharedSeedGenerator
from lsk_speech.network.frontend import is_valid

_ANCHORS = 4  # bands, evenly spaced, whose shifts are drawn


@keras.saving.register_keras_serializable(package="ls_keras")
class SpecAugment(keras.layers.Layer):
    """Masks random intervals of time and frequency in training, and shifts frequencies.

    Masked values become 0, the mean of normalized features. The length of a time mask, as a
    fraction of the utterance, is uniform in [0, `time_mask_ratio`), the width of a frequency mask,
    as a fraction of the bins, in [0, `freq_mask_ratio`); positions are uniform, and masks may
    overlap. With `freq_warp`, bins are interpolated from up to that fraction of all bins away; the
    shift is uniform at four bins from the lowest to the highest and linear in between.

    Random numbers do not depend on the number of replicas; the state is part of checkpoints.

    Args:
        num_time_masks: Time masks per utterance. Default: 0.
        time_mask_ratio: Largest length of a time mask, as a fraction of the utterance. Default:
            0.1.
        num_freq_masks: Frequency masks per utterance. Default: 0.
        freq_mask_ratio: Largest width of a frequency mask, as a fraction of the bins. Default: 0.2.
        freq_warp: Largest shift, as a fraction of the bins; 0: none. Default: 0.
        groups: Number of equal groups of features (static, first and second differences), which
            are masked and shifted alike. Default: 1.
        seed: An integer; `None`: drawn from Keras's global seed.

    Call arguments:
        features: Float tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames. Default: all.
        training: Whether to augment. Default: `False`.

    Raises:
        InputError: If a number of masks is negative or a fraction outside [0, 1]; when called, if
            the features do not divide into the groups.

    Example:
    ```python
    >>> import numpy as np
    >>> from lsk_speech.network.spec_augment import SpecAugment
    >>> augment = SpecAugment(num_time_masks=1, time_mask_ratio=0.5, seed=3)
    >>> hidden = np.asarray(augment(np.ones((1, 20, 2), "float32"), training=True)) == 0
    >>> 0 < int(hidden.all(axis=2).sum()) <= 10
    True

    ```

    References:
        Park et al. 2019, *SpecAugment* (arXiv 1904.08779), without time warping; Jaitly & Hinton
        2013, *Vocal Tract Length Perturbation (VTLP) improves speech recognition*, where one factor
        moves all bands.
    """

    def __init__(
        self,
        *,
        num_time_masks: int = 0,
        time_mask_ratio: float = 0.1,
        num_freq_masks: int = 0,
        freq_mask_ratio: float = 0.2,
        freq_warp: float = 0.0,
        groups: int = 1,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        shares = (time_mask_ratio, freq_mask_ratio, freq_warp)
        if min(num_time_masks, num_freq_masks) < 0 or not (min(shares) >= 0 and max(shares) <= 1):
            raise InputError(
                "Expected numbers of masks of at least 0 and fractions in [0, 1]. Received: "
                f"{num_time_masks} and {num_freq_masks}, {', '.join(map(str, shares))}"
            )
        self.num_time_masks, self.time_mask_ratio = num_time_masks, time_mask_ratio
        self.num_freq_masks, self.freq_mask_ratio = num_freq_masks, freq_mask_ratio
        self.freq_warp, self.groups, self.seed = freq_warp, groups, seed
        self.seed_generator = SharedSeedGenerator(seed)

    def call(self, features, length=None, training=False):
        """Augments the features, or returns them."""
        width = features.shape[-1]
        if width % self.groups:
            raise InputError(
                f"Expected features that divide into {self.groups} equal groups. Received: {width}"
            )
        if not training or not (self.num_time_masks or self.num_freq_masks or self.freq_warp):
            return features
        if self.freq_warp:
            features = self._warped(features)
        batch, frames = ops.shape(features)[0], ops.shape(features)[1]
        if length is None:
            length = ops.full((batch,), frames, dtype="int32")
        kept = is_valid(features, length)
        if self.num_time_masks:
            runs = self._runs(batch, self.num_time_masks, self.time_mask_ratio, frames, length)
            kept = ops.logical_and(kept, ops.logical_not(runs)[:, :, None])
        if self.num_freq_masks:
            bands = width // self.groups
            size = ops.full((batch,), bands, dtype="int32")
            runs = self._runs(batch, self.num_freq_masks, self.freq_mask_ratio, bands, size)
            kept = ops.logical_and(kept, ops.logical_not(ops.tile(runs, (1, self.groups)))[:, None])
        return ops.where(kept, features, ops.zeros_like(features))

    def _warped(self, features):
        """Shifts the frequencies of features."""
        bands = features.shape[-1] // self.groups
        batch = ops.shape(features)[0]
        anchors = np.linspace(0, bands - 1, _ANCHORS)
        between = np.stack([np.interp(np.arange(bands), anchors, row) for row in np.eye(_ANCHORS)])
        draws = 2 * self.seed_generator.uniform(batch, _ANCHORS) - 1
        shifts = ops.matmul(draws, between.astype(np.float32)) * (self.freq_warp * bands)
        band = np.arange(bands, dtype=np.float32)
        sources = ops.clip(band + shifts, 0.0, bands - 1.0)  # batch × bands
        # Weights of the two bins around each source: batch × source bins × target bins.
        weights = ops.maximum(1.0 - ops.abs(band[:, None] - sources[:, None]), 0.0)
        x = ops.reshape(features, (batch, -1, bands))
        return ops.reshape(ops.matmul(x, ops.cast(weights, x.dtype)), ops.shape(features))

    def _runs(self, batch, count: int, share: float, places, size):
        """Draws masks, batch × places, of intervals within `size`."""
        draws = self.seed_generator.uniform(batch, 2 * count)
        size = ops.cast(size, "float32")[:, None]
        run = ops.floor(draws[:, :count] * share * size)  # batch × count
        start = ops.floor(draws[:, count:] * (size - run + 1))
        place = ops.cast(ops.arange(places), "float32")[None, None]
        inside = ops.logical_and(place >= start[..., None], place < (start + run)[..., None])
        return ops.any(inside, axis=1)

    def compute_output_spec(self, features, length=None, training=False):
        """Returns the specification of the features: shape and dtype stay."""
        return keras.KerasTensor(features.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        masks = ("num_time_masks", "time_mask_ratio", "num_freq_masks", "freq_mask_ratio")
        names = (*masks, "freq_warp", "groups", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

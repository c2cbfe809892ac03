"""Random augmentation of images as a layer of the model: shifts, flips and resized crops."""

import math

import keras
from keras import ops

from lsk_engine import InputError
from lsk_engine.devices.replicas import SharedSeedGenerator

_AREA = (0.08, 1.0)  # of a crop, as a fraction of the image
_LOG_ASPECT = (math.log(3 / 4), math.log(4 / 3))  # of a crop's width / height


@keras.saving.register_keras_serializable(package="ls_keras")
class Augmentation(keras.layers.Layer):
    """Randomly crops, shifts and flips images in training; keeps their shape and dtype.

    Images pass unchanged in `predict`, `evaluate` and in a saved model. The random numbers are a
    function of the seed, the training step and an image's row in the batch, so they do not depend
    on the number of devices; the state is a variable of the model and part of checkpoints.

    Args:
        shift: Largest shift in pixels, in each direction; zeros come in ("pad and crop").
            Default: 0.
        flip: Whether to mirror each image left to right with probability ½. Default: `False`.
        random_resized_crop: Whether to cut out a random part and resize it to the whole image,
            bilinearly: 8 to 100 % of the area, width / height from 3/4 to 4/3. Default: `False`.
        seed: An integer; `None` draws one from Keras's global seed.

    Call arguments:
        images: uint8 or float tensor `(batch, height, width, channels)`.
        training: Whether to augment. Default: `False`.

    Raises:
        InputError: If `shift` is negative.

    References:
        Szegedy et al. (2015), *Going deeper with convolutions*, section 6, for the crops.

    Example:
    ```python
    >>> import numpy as np
    >>> from lsk_image.augmentation import Augmentation
    >>> images = np.arange(16, dtype="uint8").reshape(1, 4, 4, 1)
    >>> augment = Augmentation(shift=1, flip=True, seed=0)
    >>> bool((np.asarray(augment(images)) == images).all())
    True
    >>> augment(images, training=True).shape == images.shape
    True

    ```
    """

    def __init__(
        self,
        *,
        shift: int = 0,
        flip: bool = False,
        random_resized_crop: bool = False,
        seed: int | None = None,
        **kwargs,
    ):
        # No autocast: uint8 images stay uint8 until the network reads them.
        super().__init__(autocast=False, **kwargs)
        if shift < 0:
            raise InputError(f"Expected a shift of at least 0 pixels. Received: shift={shift}")
        self.shift, self.flip, self.seed = shift, flip, seed
        self.random_resized_crop = random_resized_crop
        self.seed_generator = SharedSeedGenerator(seed)

    def call(self, images, training=False):
        """Augments the images, or returns them."""
        if not training or not (self.shift or self.flip or self.random_resized_crop):
            return images
        draws = self.seed_generator.uniform(ops.shape(images)[0], 7)
        if self.random_resized_crop:
            images = resized_crop(images, draws[:, :4])
        if self.shift:
            images = shifted(images, draws[:, 4:6], self.shift)
        if self.flip:
            mirrored = draws[:, 6, None, None, None] < 0.5
            images = ops.where(mirrored, ops.flip(images, axis=2), images)
        return images

    def compute_output_spec(self, images, training=False):
        """Returns the specification of the images: shape and dtype stay."""
        return keras.KerasTensor(images.shape, dtype=images.dtype)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("shift", "flip", "random_resized_crop", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def shifted(images, draws, pixels: int):
    """Shifts each image by up to `pixels` in each direction; zeros come in.

    Args:
        images: Tensor `(batch, height, width, channels)`.
        draws: Numbers in [0, 1), `(batch, 2)`: the vertical and the horizontal shift.
        pixels: The largest shift, at least 1.
    """
    height, width = images.shape[1:3]
    corner = ops.cast(ops.floor(draws * (2 * pixels + 1)), "int32")
    padded = ops.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    rows = corner[:, 0, None] + ops.arange(height, dtype="int32")  # batch × height
    columns = corner[:, 1, None] + ops.arange(width, dtype="int32")
    return _take(_take(padded, columns, axis=2), rows, axis=1)


def resized_crop(images, draws):
    """Cuts a random part out of each image and resizes it to the whole image.

    Its area is uniform in 8 to 100 % of the image's, the logarithm of its width / height uniform in
    log 3/4 to log 4/3, cut off at the image's sides; its position is uniform.

    Args:
        images: Tensor `(batch, height, width, channels)`.
        draws: Numbers in [0, 1), `(batch, 4)`: area, aspect, vertical and horizontal position.
    """
    height, width = images.shape[1:3]
    area = _AREA[0] + draws[:, 0] * (_AREA[1] - _AREA[0])
    stretch = ops.exp(0.5 * (_LOG_ASPECT[0] + draws[:, 1] * (_LOG_ASPECT[1] - _LOG_ASPECT[0])))
    side = ops.sqrt(area * float(height * width))
    tall = ops.minimum(side / stretch, float(height))
    wide = ops.minimum(side * stretch, float(width))
    top, left = draws[:, 2] * (height - tall), draws[:, 3] * (width - wide)
    values = ops.cast(images, "float32")  # the interpolation's weights need it
    values = _resample(values, left, wide, axis=2)
    values = _resample(values, top, tall, axis=1)
    if not keras.backend.is_float_dtype(images.dtype):
        values = ops.round(values)
    return ops.cast(values, images.dtype)


def per_image_standardization(images):
    """Gives each image mean 0 and standard deviation 1: (x − mean) / max(std, 1/√n).

    Args:
        images: Tensor `(batch, height, width, channels)`; n values per image. The lower bound
            keeps an image of one color finite.

    Returns:
        A float32 tensor of the same shape.
    """
    x = ops.cast(images, "float32")
    axes = (1, 2, 3)
    mean = ops.mean(x, axis=axes, keepdims=True)
    deviation = ops.std(x, axis=axes, keepdims=True)
    return (x - mean) / ops.maximum(deviation, math.prod(images.shape[1:]) ** -0.5)


def _take(images, indices, axis: int):
    """Takes rows (axis 1) or columns (axis 2) `(batch, n)` of each image."""
    return ops.take_along_axis(images, _along(indices, axis), axis=axis)


def _resample(images, start, length, axis: int):
    """Interpolates the part `start … start + length` of each image to the full size of an axis.

    By gathering, because XLA cannot compile TensorFlow's image transformations.
    """
    size = images.shape[axis]
    centers = (ops.arange(size, dtype="float32") + 0.5) / size
    positions = start[:, None] + centers * length[:, None] - 0.5
    positions = ops.clip(positions, 0.0, size - 1.0)  # batch × size
    low = ops.floor(positions)
    high = ops.minimum(low + 1, size - 1.0)
    weight = _along(positions - low, axis)
    below, above = (_take(images, ops.cast(i, "int32"), axis) for i in (low, high))
    return below * (1 - weight) + above * weight


def _along(values, axis: int):
    """Gives values `(batch, n)` the rank of images, with n on `axis`."""
    return values[:, :, None, None] if axis == 1 else values[:, None, :, None]

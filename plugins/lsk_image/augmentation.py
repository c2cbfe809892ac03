"""Random augmentation of images, as layers that any backend runs: shifts, flips, distorted crops.

Each takes uint8 or floating images `(batch, height, width, channels)` and keeps shape and dtype.
They act where `training=True` is passed, in a call by itself or by `fit`; otherwise, so in
`predict` and in a saved model, images go through as they are. Their random state is a variable of
the layer, and so of the model: checkpoints hold it.
"""

import math

import keras
from keras import ops

from lsk_engine import InputError


class InTraining(keras.layers.Layer):
    """Base of the layers here: `transform` in training, images as they are otherwise.

    Call arguments:
        images: Tensor `(batch, height, width, channels)`.
        training: Whether to transform. Default: `False`.
    """

    def __init__(self, **kwargs):
        # No autocast: uint8 images stay uint8 until the network reads them.
        super().__init__(autocast=False, **kwargs)

    def call(self, images, training=False):
        """Transforms the images, or hands them on."""
        return self.transform(images) if training else images

    def transform(self, images):
        """Transforms a batch."""
        raise NotImplementedError

    def compute_output_spec(self, images, training=False):
        """Returns the specification of the images: shape and dtype stay."""
        return keras.KerasTensor(images.shape, dtype=images.dtype)


class RandomImageLayer(InTraining):
    """Base of a single random transformation.

    Args:
        seed: An integer; `None`: drawn from Keras's global seed.
    """

    def __init__(self, *, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "seed": self.seed}

    def _uniform(self, shape):
        # In float32 whatever the policy: bfloat16 knows 128 values between 0.5 and 1.
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)


@keras.saving.register_keras_serializable(package="ls_keras")
class RandomShift(RandomImageLayer):
    """Shifts each image by up to `pixels` in each direction; what comes in from outside is 0.

    The same as padding with `pixels` zeros on each side and cropping back to the size at a random
    place ("pad and crop"). Followed by a central crop that cuts `pixels` off each side, it is a
    random crop.

    Args:
        pixels: The largest shift, at least 1.
        seed: See `RandomImageLayer`.

    Example:
    ```python
    >>> import numpy as np
    >>> from lsk_image.augmentation import RandomShift
    >>> shift = RandomShift(2, seed=0)
    >>> np.asarray(shift(np.ones((1, 4, 4, 1), "uint8"), training=True)).dtype
    dtype('uint8')

    ```
    """

    def __init__(self, pixels: int, *, seed: int | None = None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if pixels < 1:
            raise InputError(f"Expected a shift of at least 1 pixel. Received: pixels={pixels}")
        self.pixels = pixels

    def transform(self, images):
        """Shifts a batch."""
        batch = ops.shape(images)[0]
        height, width = images.shape[1:3]
        places = 2 * self.pixels + 1
        corner = ops.cast(ops.floor(self._uniform((batch, 2)) * places), "int32")
        margin = (self.pixels, self.pixels)
        padded = ops.pad(images, ((0, 0), margin, margin, (0, 0)))
        rows = corner[:, 0, None] + ops.arange(height, dtype="int32")  # batch × height
        columns = corner[:, 1, None] + ops.arange(width, dtype="int32")
        return _take_rows(_take_columns(padded, columns), rows)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "pixels": self.pixels}


@keras.saving.register_keras_serializable(package="ls_keras")
class RandomFlip(RandomImageLayer):
    """Mirrors each image left to right with probability ½.

    Args:
        seed: See `RandomImageLayer`.
    """

    def transform(self, images):
        """Mirrors a batch."""
        mirrored = self._uniform((ops.shape(images)[0], 1, 1, 1)) < 0.5
        return ops.where(mirrored, ops.flip(images, axis=2), images)


@keras.saving.register_keras_serializable(package="ls_keras")
class RandomResizedCrop(RandomImageLayer):
    """Crops a random part of random shape out of each image and resizes it back, as for Inception.

    The part has an area uniform in `area` (of the whole) and a logarithm of width / height uniform
    in `log aspect`, cut off at the image's sides; its place is uniform. Resized bilinearly.

    Args:
        area: Least and greatest part of the area. Default: 0.08 and 1.
        aspect: Least and greatest width / height. Default: 3/4 and 4/3.
        seed: See `RandomImageLayer`.

    References:
        Szegedy et al. (2015), *Going deeper with convolutions*, section 6.
    """

    def __init__(
        self,
        area: tuple[float, float] = (0.08, 1.0),
        aspect: tuple[float, float] = (3 / 4, 4 / 3),
        *,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.area, self.aspect = tuple(area), tuple(aspect)
        if not 0 < self.area[0] <= self.area[1] <= 1 or not 0 < self.aspect[0] <= self.aspect[1]:
            raise InputError(
                "Expected 0 < least ≤ greatest area ≤ 1 and 0 < least ≤ greatest aspect. "
                f"Received: area={area}, aspect={aspect}"
            )

    def transform(self, images):
        """Crops and resizes a batch."""
        height, width = images.shape[1:3]
        draws = self._uniform((4, ops.shape(images)[0]))
        area = self.area[0] + draws[0] * (self.area[1] - self.area[0])
        low, high = math.log(self.aspect[0]), math.log(self.aspect[1])
        stretch = ops.exp(0.5 * (low + draws[1] * (high - low)))
        side = ops.sqrt(area * float(height * width))
        tall = ops.minimum(side / stretch, float(height))
        wide = ops.minimum(side * stretch, float(width))
        top, left = draws[2] * (height - tall), draws[3] * (width - wide)
        # In float32: the weights of the interpolation need it.
        values = ops.cast(images, "float32")
        values = _sample_columns(values, left, wide)
        values = _sample_rows(values, top, tall)
        if not keras.backend.is_float_dtype(images.dtype):
            values = ops.round(values)
        return ops.cast(values, images.dtype)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "area": list(self.area), "aspect": list(self.aspect)}


@keras.saving.register_keras_serializable(package="ls_keras")
class Augmentation(InTraining):
    """The random transformations of a configuration, one after another.

    Args:
        shift: The largest shift in pixels, see `RandomShift`; 0: none. Default: 0.
        flip: Whether to mirror. Default: `False`.
        random_resized_crop: Whether to crop and resize, see `RandomResizedCrop`. Default: `False`.
        seed: Of all of them.

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
        super().__init__(**kwargs)
        self.shift, self.flip, self.seed = shift, flip, seed
        self.random_resized_crop = random_resized_crop
        seeds = [None if seed is None else seed + i for i in range(3)]
        self.steps: list[RandomImageLayer] = []
        if random_resized_crop:
            self.steps.append(RandomResizedCrop(seed=seeds[0]))
        if shift:
            self.steps.append(RandomShift(shift, seed=seeds[1]))
        if flip:
            self.steps.append(RandomFlip(seed=seeds[2]))

    def build(self, input_shape):
        """Builds the transformations."""
        for step in self.steps:
            step.build(input_shape)
        self.built = True

    def transform(self, images):
        """Transforms a batch."""
        for step in self.steps:
            images = step(images, training=True)
        return images

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("shift", "flip", "random_resized_crop", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def per_image_standardization(images):
    """Gives each image mean 0 and standard deviation 1: (x − mean) / max(std, 1/√n).

    Args:
        images: Tensor `(batch, height, width, channels)`; n values an image. The floor keeps an
            image of one color finite.

    Returns:
        A float32 tensor of the same shape.
    """
    x = ops.cast(images, "float32")
    axes = (1, 2, 3)
    mean = ops.mean(x, axis=axes, keepdims=True)
    deviation = ops.std(x, axis=axes, keepdims=True)
    return (x - mean) / ops.maximum(deviation, math.prod(images.shape[1:]) ** -0.5)


def _take_rows(images, rows):
    """Takes the rows `(batch, height)` of each image."""
    return ops.take_along_axis(images, rows[:, :, None, None], axis=1)


def _take_columns(images, columns):
    return ops.take_along_axis(images, columns[:, None, :, None], axis=2)


def _sample_rows(images, start, length):
    """Interpolates `height` rows over the stretch `start … start + length` of each image."""
    height = images.shape[1]
    low, high, weight = _neighbors(start, length, height)
    weight = weight[:, :, None, None]
    return _take_rows(images, low) * (1 - weight) + _take_rows(images, high) * weight


def _sample_columns(images, start, length):
    width = images.shape[2]
    low, high, weight = _neighbors(start, length, width)
    weight = weight[:, None, :, None]
    return _take_columns(images, low) * (1 - weight) + _take_columns(images, high) * weight


def _neighbors(start, length, size: int):
    """Returns the pixels on both sides of each sample and the weight of the upper, batch × size."""
    centers = (ops.arange(size, dtype="float32") + 0.5) / size
    positions = start[:, None] + centers * length[:, None] - 0.5
    positions = ops.clip(positions, 0.0, size - 1.0)
    low = ops.floor(positions)
    high = ops.minimum(low + 1, size - 1.0)
    return ops.cast(low, "int32"), ops.cast(high, "int32"), positions - low

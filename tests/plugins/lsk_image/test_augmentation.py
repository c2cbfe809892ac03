import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from lsk_image.augmentation import Augmentation, per_image_standardization, resized_crop

SHAPE = (64, 6, 5, 3)
OPTIONS = {
    "shift": {"shift": 2},
    "flip": {"flip": True},
    "crop": {"random_resized_crop": True},
    "all": {"shift": 1, "flip": True, "random_resized_crop": True},
}


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture(params=OPTIONS)
def make(request):
    return lambda seed=0: Augmentation(**OPTIONS[request.param], seed=seed)


def applied(layer, images, **options):
    out = layer(images, **options)
    return keras.backend.standardize_dtype(out.dtype), ops.convert_to_numpy(out)


def test_images_change_in_training_only(make, images):
    layer = make()
    np.testing.assert_array_equal(applied(layer, images)[1], images)
    np.testing.assert_array_equal(applied(layer, images, training=False)[1], images)
    dtype, changed = applied(layer, images, training=True)
    assert dtype == "uint8"
    assert changed.shape == images.shape
    assert (changed != images).any(axis=(1, 2, 3)).mean() > 0.3
    assert (applied(layer, images, training=True)[1] != changed).any()


def test_the_seed_decides(make, images):
    first, again, other = (applied(make(seed), images, training=True)[1] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_configuration_round_trips(make, images):
    layer = make()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    outs = [applied(x, images, training=True)[1] for x in (layer, again)]
    np.testing.assert_array_equal(*outs)


def test_the_random_state_is_a_variable_of_the_model(make):
    image = keras.Input(SHAPE[1:], dtype="uint8")
    layer = make()
    model = keras.Model(image, layer(image))
    assert layer.trainable_variables == []
    assert {id(v) for v in layer.variables} <= {id(v) for v in model.variables}
    assert any("seed" in v.path for v in model.variables)


def test_every_shift_is_a_crop_of_the_padded_image(images):
    """And each of the 25 places occurs about as often as the others."""
    pixels, repeated = 2, np.repeat(images[:1] | 1, 2500, axis=0)
    _, shifted = applied(Augmentation(shift=pixels, seed=0), repeated, training=True)
    padded = np.pad(repeated[0], ((2, 2), (2, 2), (0, 0)))
    crops = {padded[y : y + 6, x : x + 5].tobytes(): (y, x) for y in range(5) for x in range(5)}
    counts = np.zeros((5, 5), int)
    for image in shifted:
        counts[crops[image.tobytes()]] += 1
    # Binomial(2500, 1/25): mean 100, standard deviation 9.8.
    assert counts.min() > 55
    assert counts.max() < 145


def test_flips_mirror_about_half_of_the_images(images):
    repeated = np.repeat(images[:1], 400, axis=0)
    _, flipped = applied(Augmentation(flip=True, seed=0), repeated, training=True)
    mirrored = (flipped == repeated[0, :, ::-1]).all(axis=(1, 2, 3))
    same = (flipped == repeated[0]).all(axis=(1, 2, 3))
    assert (mirrored | same).all()
    assert 150 < mirrored.sum() < 250


def ramps(n, height=24, width=32):
    """Images whose channels are the row and the column: what a crop took can be read off them."""
    rows, columns = np.mgrid[:height, :width].astype("float32")
    return np.repeat(np.stack([rows, columns, rows + columns], -1)[None], n, axis=0)


def test_resized_crops_are_linear_maps_into_the_image():
    images = ramps(64)
    dtype, crops = applied(Augmentation(random_resized_crop=True, seed=0), images, training=True)
    assert dtype == "float32"
    inner = crops[:, 2:-2, 2:-2]  # at the very edge, samples are held at the last pixel
    np.testing.assert_allclose(inner[..., 2], inner[..., 0] + inner[..., 1], atol=1e-3)
    np.testing.assert_allclose(np.diff(inner[..., 0], axis=2), 0, atol=1e-4)
    steps = np.stack(
        [
            np.diff(inner[..., 0], axis=1).mean((1, 2)) * 24,
            np.diff(inner[..., 1], axis=2).mean((1, 2)) * 32,
        ],
        -1,
    )  # height, width
    area = steps.prod(-1) / (24 * 32)
    assert area.min() > 0.08 * 0.9
    assert area.max() < 1.01
    assert 0.3 < area.mean() < 0.7  # uniform in 0.08 … 1, cut off at the sides
    assert (steps[:, 1] / steps[:, 0]).min() > 0.74
    assert (steps[:, 1] / steps[:, 0]).max() < 1.35
    assert crops.min() >= 0
    assert (crops.max(axis=(0, 1, 2)) <= images.max(axis=(0, 1, 2))).all()


def test_the_whole_area_is_the_image_itself():
    images = ramps(2, 8, 8)
    draws = np.tile(np.float32([1.0, 0.5, 0.3, 0.7]), (2, 1))  # area 1, square, anywhere
    found = ops.convert_to_numpy(resized_crop(ops.convert_to_tensor(images), draws))
    np.testing.assert_allclose(found, images, atol=1e-4)


def test_per_image_standardization(images):
    values = ops.convert_to_numpy(per_image_standardization(images))
    np.testing.assert_allclose(values.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=(1, 2, 3)), 1, atol=1e-5)


def test_an_image_of_one_color_becomes_zeros():
    values = ops.convert_to_numpy(per_image_standardization(np.full((1, 4, 4, 3), 7, np.uint8)))
    np.testing.assert_array_equal(values, 0)


def test_a_negative_shift_is_refused():
    with pytest.raises(InputError, match="shift=-1"):
        Augmentation(shift=-1)

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.information.augmented_logits import augment_seeded, augmented_differences

IMAGES = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")


def test_draws_of_each_example_in_order():
    seen = []

    def augment(images, training, seed):
        assert training is True
        seen.append(seed)
        return images * (1 + seed % 5)

    def predict(images):
        assert len(images) == 3  # one shape
        return 2 * images

    found = augmented_differences(predict, IMAGES, (1, 3), augment, draws=4, batch_size=3)
    assert len(seen) == 12  # 4 draws × 3 batches
    assert len(set(seen)) == 12
    factors = np.repeat([1 + seed % 5 for seed in seen], 3).reshape(4, 9)[:, :7].T
    np.testing.assert_allclose(
        found, 2 * (IMAGES[:, 1] - IMAGES[:, 3])[:, None] * factors, rtol=1e-5
    )


def test_augmentation_layers_are_repeatable_and_keep_their_state():
    augment = keras.Sequential(
        [keras.layers.GaussianNoise(1.0, seed=1), keras.layers.Dropout(0.3, seed=2)]
    )
    augment(IMAGES, training=True)
    before = [np.array(ops.convert_to_numpy(v)) for v in augment.variables]
    one, two = (augment_seeded(augment, IMAGES, 5, draw) for draw in (0, 1))
    again = augment_seeded(augment, IMAGES, 5, 0)
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, two)
    assert not np.allclose(one, IMAGES)
    assert len(before) == 2
    for variable, value in zip(augment.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)


@pytest.mark.parametrize(
    "augment",
    [lambda images: images + 1, lambda x, **options: x + options["training"], np.negative],
)
def test_functions_of_any_signature(augment):
    expected = -IMAGES if augment is np.negative else IMAGES + 1
    np.testing.assert_allclose(augment_seeded(augment, IMAGES, 0), expected)


@pytest.mark.parametrize(
    ("predict", "options", "message"),
    [
        (lambda x: x[:, None], {}, "\\(7, K\\)"),
        (lambda x: x[:, :2], {}, "classes in \\[0, 2\\)"),
        (lambda x: x, {"draws": 1}, "draws to be an integer ≥ 2"),
    ],
)
def test_wrong_outputs_raise_input_errors(predict, options, message):
    with pytest.raises(InputError, match=message):
        augmented_differences(predict, IMAGES, (0, 3), lambda x: x, **options)

import dataclasses

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.optimizers import build_optimizer
from lsk_image.data import load
from lsk_image.model import build_classifier, normalized
from lsk_image.task import ImageTask


def test_normalizations():
    images = np.array([0, 255, 51, 102], np.uint8).reshape(1, 2, 2, 1)
    unit = keras.ops.convert_to_numpy(normalized(images, "unit")).ravel()
    np.testing.assert_allclose(unit, [0, 1, 0.2, 0.4], rtol=1e-6)
    symmetric = keras.ops.convert_to_numpy(normalized(images, "symmetric")).ravel()
    np.testing.assert_allclose(symmetric, [-1, 1, -0.6, -0.2], rtol=1e-6)
    per_image = keras.ops.convert_to_numpy(normalized(images, "per_image")).ravel()
    np.testing.assert_allclose(per_image, (unit - unit.mean()) / unit.std(), rtol=1e-5)


@pytest.mark.parametrize(
    "preset", ["digits-mlp", "mnist-mlp-teacher", "mnist-mlp-student", "cifar10-alexnet"]
)
def test_presets_build_and_their_optimizers_find_their_layers(preset):
    settings = {"data.source": "digits", "data.size": 32, "data.validation": 300}
    config = resolve_config(ImageTask(), preset, settings)
    model = build_classifier(config, load(config))
    build_optimizer(config.optimizer, 10).build(model.trainable_variables)
    assert model.get_layer("logits").kernel.shape[-1] == 10


def test_small_images_are_told_for_the_inceptions():
    config = resolve_config(ImageTask(), None, {"model.name": "inception_v4"})
    data = load(config)
    with pytest.raises(InputError, match=r"at least 75 × 75 .*Received: 8 × 8"):
        build_classifier(config, data)


def test_a_resnet_of_another_depth_by_its_name():
    config = resolve_config(ImageTask(), None, {"model.name": "resnet8", "data.shift": 0})
    model = build_classifier(config, load(config))
    assert model.name == "resnet8"
    assert "augmentation" not in [layer.name for layer in model.layers]
    assert dataclasses.asdict(config.model)["name"] == "resnet8"

import dataclasses

import keras
import numpy as np
import pytest

from lsk_engine.settings.resolving import resolve_config
from lsk_image.data import load
from lsk_image.decoding import rank_classes
from lsk_image.task import ImageTask


@pytest.fixture
def model():
    """Logits that are the first pixels themselves, so that ties occur."""
    image = keras.Input((8, 8, 1), dtype="uint8", name="image")
    values = keras.ops.cast(image, "float32")
    return keras.Model({"image": image}, keras.layers.Flatten()(values)[:, 10:20])


@pytest.mark.parametrize("batch_size", [7, 10, 64])
def test_ranks_in_order_whatever_the_batches(model, batch_size):
    settings = {"data.test": 40, "data.max_train_examples": 20, "decoding.batch_size": batch_size}
    config = resolve_config(ImageTask(), None, settings)
    data = load(config)
    test = data.splits["test"]
    seen = []
    outputs = rank_classes(model, test, config, data, lambda *counts: seen.append(counts))
    logits = test.gather(np.arange(40), None)[0]["image"].reshape(40, 64)[:, 10:20].astype(int)
    expected = [sorted(range(10), key=lambda k: (-row[k], k))[:5] for row in logits]
    assert outputs == expected
    assert seen[-1] == (40, 40)
    assert len(seen) == -(-40 // batch_size)


def test_of_few_classes_only_the_likeliest(model):
    config = resolve_config(ImageTask(), None, {"data.test": 3, "data.max_train_examples": 20})
    data = load(config)
    few = dataclasses.replace(data, num_classes=5)
    outputs = rank_classes(model, data.splits["test"], config, few, lambda *_: None)
    assert [len(output) for output in outputs] == [1, 1, 1]

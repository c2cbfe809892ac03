import dataclasses

import keras
import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config
from lsk_image.data import load
from lsk_image.scoring import rank_classes, score
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


def test_errors_are_those_of_scikit_learn(rng):
    logits, labels = rng.normal(size=(200, 8)), rng.integers(0, 8, 200)
    ranked = np.argsort(-logits, axis=1)[:, :5].tolist()
    scores = score(labels.tolist(), ranked)
    for k in (1, 5):
        accuracy = top_k_accuracy_score(labels, logits, k=k, labels=range(8))
        assert scores.values[f"top_{k}_error"] == pytest.approx(100 * (1 - accuracy))
    assert set(scores.labels) == set(scores.values)


def test_by_hand():
    ranked = [[2, 0, 1, 3, 4], [0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 0, 2, 3, 4]]
    assert score([2, 4, 5, 1], ranked).values == {"top_1_error": 50.0, "top_5_error": 25.0}


def test_intervals_are_exact():
    """No error among n: the upper end is 1 − 0.025^(1/n)."""
    intervals = score([0] * 40, [[0, 1, 2, 3, 4]] * 40).intervals
    for ends in intervals.values():
        assert ends == pytest.approx((0.0, 100 * (1 - 0.025 ** (1 / 40))))
    low, high = score([0, 1] * 30, [[0]] * 60).intervals["top_1_error"]
    assert low < 50 < high


def test_one_ranked_class_has_no_top_5_error():
    assert score([1, 0], [[1], [1]]).values == {"top_1_error": 50.0}


@pytest.mark.parametrize(("labels", "ranked"), [([1], []), ([], []), ([1], [[1], [2]])])
def test_what_does_not_fit_is_told(labels, ranked):
    with pytest.raises(InputError, match=f"Received: {len(ranked)} and {len(labels)}"):
        score(labels, ranked)

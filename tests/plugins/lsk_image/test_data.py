import dataclasses

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config
from lsk_image.config import DataConfig
from lsk_image.data import load, load_source, split_images, use_class_ids
from lsk_image.formats.image_store import ArrayPixels, ImageSource, LabeledImages
from lsk_image.task import ImageTask


def source(labels, *, names=None, **others):
    splits = {}
    for split, values in {"train": labels, **others}.items():
        array = np.zeros((len(values), 2, 2), np.uint8)
        array[:, 0, 0] = np.arange(len(values))
        splits[split] = LabeledImages(ArrayPixels(array, split), np.array(values), split)
    return ImageSource(splits, names)


def loaded(monkeypatch, given, **settings):
    monkeypatch.setattr("lsk_image.data.load_source", lambda *_, **__: given)
    defaults = {"data.source": "mine", "data.validation": None, "data.test": None}
    return load(resolve_config(ImageTask(), None, {**defaults, **settings}))


def rows(examples):
    return set(examples.rows.tolist())


@pytest.mark.parametrize("largest", [10**6, 10**18])
def test_a_huge_label_is_refused_before_classes_are_named(monkeypatch, largest):
    with pytest.raises(InputError, match=f"most 1,000,000 classes.*Received: {largest:,} as the"):
        loaded(monkeypatch, source([0, 1, largest]))


def test_what_is_held_out_is_not_trained_on():
    splits, notes = split_images(source([0, 1] * 50), DataConfig(validation=20, test=30))
    assert [len(splits[s]) for s in ("train", "validation", "test")] == [50, 20, 30]
    assert set.union(*map(rows, splits.values())) == set(range(100))
    assert notes == [
        "test: 30 images drawn from the training images",
        "validation: 20 images drawn from the training images",
    ]


def test_the_draw_depends_on_its_own_seed_only(monkeypatch):
    given = source([0, 1] * 50)
    splits = [
        loaded(monkeypatch, given, **{"data.split_seed": s, "training.seed": t}).splits
        for s, t in ((0, 0), (0, 1), (1, 0))
    ]
    assert rows(splits[0]["test"]) == rows(splits[1]["test"])
    assert rows(splits[0]["test"]) != rows(splits[2]["test"])


def test_the_splits_of_the_source_are_used():
    given = source([0, 1] * 10, validation=[0, 1], test=[1, 0, 1])
    splits, notes = split_images(given, DataConfig())
    assert [len(splits[s]) for s in ("train", "validation", "test")] == [20, 2, 3]
    assert notes == []
    splits, _ = split_images(given, DataConfig(validation=5))
    assert [len(splits[s]) for s in ("train", "validation", "test")] == [15, 5, 3]


def test_defaults_hold_out_a_sixth_and_a_tenth():
    splits, _ = split_images(source([0, 1] * 60), DataConfig())
    assert [len(splits[s]) for s in ("train", "validation", "test")] == [90, 10, 20]


def test_fewer_examples_leave_the_other_splits_alone():
    given = source([0, 1] * 50)
    all_of_them, _ = split_images(given, DataConfig(validation=20, test=30))
    some, notes = split_images(given, DataConfig(validation=20, test=30, max_train_examples=10))
    assert len(some["train"]) == 10
    assert rows(some["train"]) < rows(all_of_them["train"])
    assert rows(some["test"]) == rows(all_of_them["test"])
    assert "train: 10 of 50 images, drawn at random" in notes


def test_counts_and_names(monkeypatch):
    data = loaded(monkeypatch, source([0, 2, 2, 1] * 5, test=[0], names=["a", "b", "c"]))
    assert data.class_names == ["a", "b", "c"]
    assert data.class_counts.sum() == len(data.splits["train"]) == 18
    data = loaded(monkeypatch, source([0, 2, 2, 1] * 5, test=[0]))
    assert data.class_names == ["0", "1", "2"]


def test_digits_are_what_scikit_learn_has():
    train = load_source("digits").splits["train"]
    assert train.pixels.shape == (8, 8, 1)
    assert (len(train.labels), train.labels[:4].tolist()) == (1797, [0, 1, 2, 3])
    first = train.pixels.gather(np.array([0]))[0, 0, :, 0]
    np.testing.assert_allclose(first * (16 / 255), [0, 0, 5, 13, 9, 1, 0, 0], atol=0.04)


def test_images_are_brought_to_size():
    assert load_source("digits", size=12, channels=3).splits["train"].pixels.shape == (12, 12, 3)


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        (source([0, 1, 2] * 5, test=[0, 3]), {}, r"in \[0, 3\). Received: 3 at row 1 of test"),
        (source([0, 2, 1], names=["a", "b"]), {}, r"in \[0, 2\). Received: 2 at row 1 of train"),
        (source([0, -1, 1]), {}, r"Received: -1 at row 1 of train"),
        (source([0, 0]), {}, "at least two classes. Received: 1"),
        (source([0, 1] * 5), {"data.validation": 6, "data.test": 4}, "fewer than 10"),
        (source([0, 1]), {}, "at least 1 and fewer than 2"),
        (
            source([0, 1] * 6),
            {"data.max_train_examples": 10},
            "max_train_examples of at most 9, .* images left. Received: 10",
        ),
    ],
)
def test_what_cannot_be_is_told(monkeypatch, given, settings, message):
    with pytest.raises(InputError, match=message):
        list(loaded(monkeypatch, given, **settings).splits.values())


def test_splits_of_other_shapes_are_told(monkeypatch):
    given = source([0, 1] * 5)
    other = LabeledImages(ArrayPixels(np.zeros((2, 3, 3), np.uint8), "it"), np.array([0, 1]), "it")
    with pytest.raises(InputError, match=r"shape \(2, 2, 1\).*Received: \(3, 3, 1\) in it"):
        list(loaded(monkeypatch, ImageSource({**given.splits, "test": other})).splits.values())


@pytest.mark.parametrize(("label", "told"), [(-1, "-1"), (2, "2")])
def test_labels_of_other_names_are_checked_before_they_are_the_run_s(label, told):
    """An index of -1 would be the last name."""
    pixels = ArrayPixels(np.zeros((3, 4, 4), np.uint8), "it")
    images = LabeledImages(pixels, np.array([0, 1, 0]), "labels of it")
    assert use_class_ids(["a", "b", "c"], images, ["c", "a"]).labels.tolist() == [2, 0, 2]
    wrong = dataclasses.replace(images, labels=np.array([0, label, 0]))
    with pytest.raises(InputError, match=f"Received: {told}"):
        use_class_ids(["a", "b", "c"], wrong, ["c", "a"])

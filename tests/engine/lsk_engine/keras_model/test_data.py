"""Splits as a task's data."""

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.keras_model.arrays import read_split
from lsk_engine.keras_model.config import DataConfig
from lsk_engine.keras_model.data import predict_classes, score, task_data


def split(n=30, name="train", classes=3, **changes):
    x = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    return read_split((changes.get("x", x), changes.get("y", np.arange(n) % classes)), name)


def options(**changes):
    return DataConfig(source="own.npz", **changes)


def test_missing_splits_are_drawn_with_the_split_seed():
    data = task_data({"train": split()}, options())
    assert {name: len(of) for name, of in data.splits.items()} == {
        **{"train": 23, "validation": 2, "test": 5}
    }
    rows = [of.rows for of in data.splits.values()]
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(30))
    again = task_data({"train": split()}, options()).splits["test"].rows
    other = task_data({"train": split()}, options(split_seed=1)).splits["test"].rows
    np.testing.assert_array_equal(again, data.splits["test"].rows)
    assert not np.array_equal(other, again)
    assert data.notes == (
        "test: 5 examples drawn from the training examples",
        "validation: 2 examples drawn from the training examples",
    )
    np.testing.assert_array_equal(
        data.class_counts, np.bincount(data.splits["train"].labels, minlength=3)
    )


def test_given_splits_are_used_and_training_may_be_limited():
    splits = {"train": split(), "validation": split(6, "validation"), "test": split(9, "test")}
    data = task_data(splits, options(max_train_examples=12))
    assert [len(of) for of in data.splits.values()] == [12, 6, 9]
    assert data.notes == ("train: 12 of 30 examples, drawn at random",)
    inputs, labels = data.splits["test"].gather(np.array([8, 0]), None)
    np.testing.assert_array_equal(inputs["x"], [[16, 17], [0, 1]])
    np.testing.assert_array_equal(labels, [2, 0])


def test_ignored_positions_do_not_count():
    y = np.array([[0, 1, -100], [1, -100, -100], [2, 2, 2]] * 10)
    data = task_data({"train": split(y=y)}, options(ignore_class=-100))
    train = data.splits["train"]
    assert data.num_classes == 3
    np.testing.assert_array_equal(train.label_counts(), (train.labels != -100).sum(1))
    assert sum(map(len, train.references)) == data.class_counts.sum()
    assert -100 not in [label for one in train.references for label in one]


def test_examples_without_a_label_are_not_scored():
    y = np.arange(30) % 3
    y[::2] = -1
    data = task_data({"train": split(), "test": split(30, "test", y=y)}, options(ignore_class=-1))
    examples = data.splits["test"]
    found = predict_classes(
        lambda inputs: np.eye(3)[[0] * 8], examples, 8, lambda done, total: None
    )
    assert found[:3] == [None, 0, None]
    scores = score(examples.references, found)
    wrong = (y[1::2] != 0).mean()
    assert scores.values["error_rate"] == pytest.approx(100 * wrong)
    low, high = scores.intervals["error_rate"]
    assert low < 100 * wrong < high
    for none in ([None, None], [[], []]):
        with pytest.raises(InputError, match="a label that counts.* Received: none among 2"):
            score(none, none)


def test_classes_may_be_more_than_labels_and_have_names():
    assert task_data({"train": split()}, options(num_classes=5)).num_classes == 5
    data = task_data({"train": split()}, options(), ["a", "b", "c"])
    assert list(data.class_names) == ["a", "b", "c"]
    one_hot = task_data({"train": split(y=np.eye(4)[np.arange(30) % 3])}, options())
    assert one_hot.num_classes == 4
    assert one_hot.notes[-1] == "labels: one-hot over 4 classes, read as integers"


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"y": np.zeros(30, int)}, {}, "at least two classes. Received: 1"),
        ({}, {"num_classes": 2}, r"labels in \[0, 2\) in y of train. Received: 2 in row 2$"),
        ({"y": -np.ones(30, int)}, {"num_classes": 2}, "Received: -1 in row 0"),
        ({"y": np.array([[0, -1]] * 30)}, {"num_classes": 2}, "set data.ignore_class for padding"),
        ({"y": np.array([[0, 1]] * 30)}, {"ignore_class": 0}, None),
        ({}, {"test": 20, "validation": 10}, "fewer than 30 training examples"),
        ({}, {"max_train_examples": 25}, "max_train_examples of at most 23"),
        ({"y": np.eye(4)[np.arange(30) % 3]}, {"num_classes": 3}, "one number of classes"),
    ],
)
def test_invalid_labels_and_settings_are_refused(changes, settings, message):
    if message is None:
        task_data({"train": split(**changes)}, options(**settings))
        return
    with pytest.raises(InputError, match=message):
        task_data({"train": split(**changes)}, options(**settings))


@pytest.mark.parametrize(
    ("test", "settings", "message"),
    [
        (
            split(6, "test", x=np.zeros((6, 3))),
            {},
            r"test of the shapes and types of train, x float",
        ),
        (split(6, "test", x=np.zeros((6, 2), int)), {}, r"Received: x integers \(2,\), y integers"),
        (split(6, "test", y=np.zeros((6, 4), int)), {}, r"Received: .* y integers \(4,\)"),
        (split(6, "test"), {"test": 3}, "data without the split test, to hold out data.test=3"),
        (split(6, "test", y=np.zeros(6, int)), {"ignore_class": 0}, "that count in every split"),
    ],
)
def test_incompatible_splits_are_refused(test, settings, message):
    with pytest.raises(InputError, match=message):
        task_data({"train": split(), "test": test}, options(**settings))


def test_a_huge_label_is_refused_before_classes_are_named():
    split = read_split((np.zeros((3, 2)), np.array([0, 1, 2**31 - 1])), "train")
    with pytest.raises(InputError, match=r"1,000,000 classes.*Received: 2,147,483,647"):
        task_data({"train": split}, options())

import dataclasses
import json

import numpy as np
import pytest

from ls_base.errors import FileError, InputError
from ls_base.records import convert_record
from lsk_engine.data.datasets import evaluation_source
from lsk_engine.data.fingerprint import (
    StoredFingerprint,
    check_fingerprint,
    compare_fingerprints,
    fingerprint_data,
)
from lsk_engine.data.lazy import LazySplits, lazy_array
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.contract import Examples, TaskData
from tiny_task import Letters, TinyTask

TASK = TinyTask()
CONFIG = resolve_config(TASK, None, {})


class LoadedError(Exception):
    """Raised when the training split is loaded."""


def lazy_data(data, **others):
    """Returns data whose training split must not be loaded."""

    def refuse():
        raise LoadedError

    loaders = {name: (lambda name=name: data.splits[name]) for name in data.splits}
    splits = LazySplits({**loaders, "train": refuse, **others})
    return dataclasses.replace(data, splits=splits, class_counts=lazy_array(refuse))


def refusal(changed):
    return InputError("; ".join(changed))


@pytest.fixture
def data():
    return dataclasses.replace(TASK.load_data(CONFIG), notes=("synthetic",))


def with_train(data, **changed):
    letters = Letters(41, 0)
    for name, change in changed.items():
        setattr(letters, name, change(getattr(letters, name).copy()))
    return dataclasses.replace(data, splits={**data.splits, "train": letters})


def edited(array):
    array[-1, 0] += 1
    return array


def test_the_same_data_have_no_differences(data):
    assert (
        compare_fingerprints(fingerprint_data(data), fingerprint_data(TinyTask().load_data(None)))
        == []
    )


@pytest.mark.parametrize("part", ["inputs", "labels"])
def test_other_content_is_noticed(data, part):
    other = with_train(data, **{part: edited})
    assert compare_fingerprints(fingerprint_data(data), fingerprint_data(other)) == [
        "train: other content"
    ]


def test_more_examples_are_counted(data):
    more = {**data.splits, "train": Letters(1500, 0)}
    (told,) = compare_fingerprints(
        fingerprint_data(data), fingerprint_data(dataclasses.replace(data, splits=more))
    )
    assert told.startswith("train: 41 examples, now 1,500, ")
    assert " labels, now " in told


def test_missing_and_new_splits_are_named(data):
    less = {name: data.splits[name] for name in ("train", "test")}
    less = dataclasses.replace(data, splits=less)
    assert compare_fingerprints(fingerprint_data(data), fingerprint_data(less)) == [
        "validation: not there now"
    ]
    assert compare_fingerprints(fingerprint_data(less), fingerprint_data(data)) == [
        "validation: not there before"
    ]


def test_other_classes_are_noticed(data):
    more = dataclasses.replace(data, num_classes=7)
    assert compare_fingerprints(fingerprint_data(data), fingerprint_data(more)) == [
        "6 classes, now 7"
    ]
    counts = dataclasses.replace(data, class_counts=np.roll(data.class_counts, 1))
    assert compare_fingerprints(fingerprint_data(data), fingerprint_data(counts)) == [
        "train: other labels"
    ]


def test_the_first_and_last_example_of_a_large_split_are_hashed(data):
    large = Letters(5000, 0)
    splits = {**data.splits, "train": large}
    first = fingerprint_data(dataclasses.replace(data, splits=splits))
    for row in (0, -1):
        large.inputs[row, 0] += 1
        assert compare_fingerprints(
            first, fingerprint_data(dataclasses.replace(data, splits=splits))
        )
        large.inputs[row, 0] -= 1
    assert not compare_fingerprints(
        first, fingerprint_data(dataclasses.replace(data, splits=splits))
    )


@pytest.fixture
def stored(data):
    """The fingerprint as it comes back from the disk."""
    content = json.loads(json.dumps(StoredFingerprint.of(data).to_dict()))
    return convert_record(content, StoredFingerprint, "data.json")


def test_a_run_is_scored_without_its_training_split(data, stored):
    checked = check_fingerprint(
        dataclasses.replace(lazy_data(data), notes=()), stored, refusal, whole=False
    )
    assert checked.notes == ("synthetic",)
    np.testing.assert_array_equal(checked.class_counts, data.class_counts)
    np.testing.assert_array_equal(checked.train_sizes, np.sort(data.splits["train"].sizes))
    found, expected = (evaluation_source(CONFIG, of, "test") for of in (checked, data))
    assert found.boundaries == expected.boundaries
    for one, other in zip(found.batch(0), expected.batch(0), strict=True):
        np.testing.assert_equal(one, other)
    with pytest.raises(LoadedError):
        checked.splits["train"]


def test_each_split_is_compared_when_it_is_loaded(data, stored):
    other = lazy_data(data, test=lambda: Letters(30, 5), train=lambda: Letters(41, 9))
    checked = check_fingerprint(
        dataclasses.replace(other, class_counts=data.class_counts),
        stored,
        refusal,
        whole=False,
    )
    assert checked.splits["validation"] is data.splits["validation"]
    with pytest.raises(InputError, match=r"^test: 9 examples, now 30"):
        checked.splits["test"]
    with pytest.raises(InputError, match=r"^train: \d+ labels, now \d+$"):
        checked.splits["train"]


def test_all_splits_are_compared_before_training(data, stored):
    other = lazy_data(data, test=lambda: Letters(30, 5), train=lambda: Letters(41, 9))
    other = dataclasses.replace(other, class_counts=data.class_counts)
    with pytest.raises(InputError, match=r"^test: .*; train: "):
        check_fingerprint(other, stored, refusal, whole=True)


def test_other_training_labels_are_noticed_with_the_split(data, stored):
    counts = np.roll(data.class_counts, 1)
    other = lazy_data(data, train=lambda: data.splits["train"])
    other = dataclasses.replace(other, class_counts=counts)
    checked = check_fingerprint(other, stored, refusal, whole=False)
    with pytest.raises(InputError, match=r"^train: other labels$"):
        checked.splits["train"]


def test_splits_and_classes_are_compared_without_loading_any(data, stored):
    more = lazy_data(data, more=lambda: data.splits["test"])
    with pytest.raises(InputError, match=r"^more: not there before$"):
        check_fingerprint(more, stored, refusal, whole=False)
    classes = dataclasses.replace(lazy_data(data), num_classes=9)
    with pytest.raises(InputError, match=r"^6 classes, now 9$"):
        check_fingerprint(classes, stored, refusal, whole=False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label_counts": "1 2 x 4 5 6"}, "valid data.json.*could not convert"),
        ({"label_counts": "1 2 3 4 5 inf"}, "valid data.json.*numbers that are not finite"),
        ({"label_counts": "1 2"}, "valid data.json.*label_counts of other than 6 classes"),
        ({"sizes": ("1 2", "3 4")}, "valid data.json.*sizes of other than 41 training examples"),
        ({"sizes": ("1", "20 21")}, "valid data.json.*sizes of other than 41"),
    ],
)
def test_a_damaged_fingerprint_is_refused(stored, changed, message):
    with pytest.raises(FileError, match=message):
        convert_record({**stored.to_dict(), **changed}, StoredFingerprint, "data.json")


class Points(Examples):
    """Examples of one shape."""

    def __len__(self):
        return 5

    def gather(self, rows, size):
        return {"x": rows[:, None]}, rows % 2


def test_examples_of_one_shape_have_no_sizes():
    splits = dict.fromkeys(("train", "test"), Points())
    data = TaskData(splits, 2, None, ["a", "b"], np.array([3, 2]))
    state = StoredFingerprint.of(data)
    assert state.sizes is None
    assert state.read_sizes() is None

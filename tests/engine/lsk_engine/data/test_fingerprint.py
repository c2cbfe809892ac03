import dataclasses

import numpy as np
import pytest

from lsk_engine.data.fingerprint import compare_fingerprints, fingerprint_data
from tiny_task import Letters, TinyTask


@pytest.fixture
def data():
    return TinyTask().load_data(None)


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


def test_splits_that_come_and_go_are_named(data):
    less = {name: data.splits[name] for name in ("train", "test")}
    less = dataclasses.replace(data, splits=less)
    assert compare_fingerprints(fingerprint_data(data), fingerprint_data(less)) == [
        "validation: not there now"
    ]
    assert compare_fingerprints(fingerprint_data(less), fingerprint_data(data)) == [
        "validation: not there before"
    ]


def test_other_classes_are_told(data):
    more = dataclasses.replace(data, num_classes=7)
    assert compare_fingerprints(fingerprint_data(data), fingerprint_data(more)) == [
        "6 classes, now 7"
    ]
    counts = dataclasses.replace(data, class_counts=np.roll(data.class_counts, 1))
    assert compare_fingerprints(fingerprint_data(data), fingerprint_data(counts)) == [
        "train: other labels"
    ]


def test_of_a_large_split_the_first_and_last_example_are_looked_at(data):
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

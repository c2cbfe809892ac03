import dataclasses
import json

import numpy as np
import pytest

from ls_base.errors import FileError, InputError
from ls_base.records import convert_record
from lsk_engine.data.batch_sources import evaluation_source
from lsk_engine.data.fingerprint_store import StoredFingerprint, check_fingerprint
from lsk_engine.data.lazy import LazySplits, lazy_array
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.contract import Examples, TaskData
from tiny_task import Letters, TinyTask

TASK = TinyTask()
CONFIG = resolve_config(TASK, None, {})


class AskedError(Exception):
    """Somebody asked for the training split."""


def lazily(data, **others):
    """Returns data whose training split nobody may ask for."""

    def refuse():
        raise AskedError

    loaders = {name: (lambda name=name: data.splits[name]) for name in data.splits}
    splits = LazySplits({**loaders, "train": refuse, **others})
    return dataclasses.replace(data, splits=splits, class_counts=lazy_array(refuse))


def refusal(changed):
    return InputError("; ".join(changed))


@pytest.fixture
def data():
    return dataclasses.replace(TASK.load_data(CONFIG), notes=("synthetic",))


@pytest.fixture
def state(data):
    """What a run keeps, as it comes back from the disk."""
    stored = json.loads(json.dumps(StoredFingerprint.of(data).to_dict()))
    return convert_record(stored, StoredFingerprint, "data.json")


def test_a_run_is_scored_without_its_training_split(data, state):
    held = check_fingerprint(
        dataclasses.replace(lazily(data), notes=()), state, "data.json", refusal, whole=False
    )
    assert held.notes == ("synthetic",)
    np.testing.assert_array_equal(held.class_counts, data.class_counts)
    np.testing.assert_array_equal(held.train_sizes, np.sort(data.splits["train"].sizes))
    found, expected = (evaluation_source(CONFIG, of, "test") for of in (held, data))
    assert found.boundaries == expected.boundaries
    for one, other in zip(found.batch(0), expected.batch(0), strict=True):
        np.testing.assert_equal(one, other)
    with pytest.raises(AskedError):
        held.splits["train"]


def test_each_split_is_held_against_what_it_was_when_it_is_loaded(data, state):
    other = lazily(data, test=lambda: Letters(30, 5), train=lambda: Letters(41, 9))
    held = check_fingerprint(
        dataclasses.replace(other, class_counts=data.class_counts),
        state,
        "data.json",
        refusal,
        whole=False,
    )
    assert held.splits["validation"] is data.splits["validation"]
    with pytest.raises(InputError, match=r"^test: 9 examples, now 30"):
        held.splits["test"]
    with pytest.raises(InputError, match=r"^train: \d+ labels, now \d+$"):
        held.splits["train"]


def test_to_train_on_all_are_held_at_once(data, state):
    other = lazily(data, test=lambda: Letters(30, 5), train=lambda: Letters(41, 9))
    other = dataclasses.replace(other, class_counts=data.class_counts)
    with pytest.raises(InputError, match=r"^test: .*; train: "):
        check_fingerprint(other, state, "data.json", refusal, whole=True)


def test_other_labels_of_training_are_told_with_it(data, state):
    counts = np.roll(data.class_counts, 1)
    other = lazily(data, train=lambda: data.splits["train"])
    other = dataclasses.replace(other, class_counts=counts)
    held = check_fingerprint(other, state, "data.json", refusal, whole=False)
    with pytest.raises(InputError, match=r"^train: other labels$"):
        held.splits["train"]


def test_splits_and_classes_are_compared_without_loading_any(data, state):
    more = lazily(data, more=lambda: data.splits["test"])
    with pytest.raises(InputError, match=r"^more: not there before$"):
        check_fingerprint(more, state, "data.json", refusal, whole=False)
    classes = dataclasses.replace(lazily(data), num_classes=9)
    with pytest.raises(InputError, match=r"^6 classes, now 9$"):
        check_fingerprint(classes, state, "data.json", refusal, whole=False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label_counts": "1 2 x 4 5 6"}, "Expected numbers in data.json. Received: "),
        ({"label_counts": "1 2 3 4 5 inf"}, "Expected finite numbers in data.json"),
        ({"label_counts": "1 2 3 4 5 6"}, "label_counts of 6 classes in data.json as they were"),
        ({"label_counts": "1 2"}, "label_counts of 6 classes .*Received: others, of 2"),
        ({"sizes": ("1 2", "3 4")}, "the sizes of 41 training examples .* Received: of 7"),
        ({"sizes": ("1", "20 21")}, "the sizes of 41 training examples"),
    ],
)
def test_a_damaged_state_is_told(data, state, changed, message):
    damaged = StoredFingerprint(**{**state.to_dict(), **changed})
    with pytest.raises(FileError, match=message):
        check_fingerprint(lazily(data), damaged, "data.json", refusal, whole=False)


def test_of_an_older_run_the_data_say_it(data, state):
    old = StoredFingerprint(**state.fingerprint)
    held = check_fingerprint(lazily(data), old, "data.json", refusal, whole=False)
    assert held.train_sizes is None
    assert held.notes == data.notes
    with pytest.raises(AskedError):
        np.asarray(held.class_counts)


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
    assert state.train_sizes("data.json") is None

import threading

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.data.lazy import LazyNotes, LazySplits, lazy_array, map_splits
from lsk_engine.data.splits import splits_to_score


def counting(names):
    """Returns splits that are lists, and the names of those that were loaded, in order."""
    made = []

    def loader(name):
        return lambda: made.append(name) or [name]

    return LazySplits({name: loader(name) for name in names}), made


def test_what_nobody_asks_for_is_not_loaded():
    splits, made = counting(["train", "test"])
    assert list(splits) == ["train", "test"]
    assert len(splits) == 2
    assert "train" in splits
    assert "other" not in splits
    assert splits.get("other") is None
    assert made == splits.loaded == []
    assert splits["test"] is splits["test"]
    assert made == splits.loaded == ["test"]
    assert dict(splits) == {"train": ["train"], "test": ["test"]}
    assert made == ["test", "train"]


def test_threads_that_ask_for_one_split_get_one():
    started = threading.Barrier(4)
    splits, made = counting(["train"])
    found = []

    def ask():
        started.wait()
        found.append(splits["train"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["train"]
    assert all(one is found[0] for one in found)


def test_an_error_comes_again():
    def fail():
        raise InputError("Expected more. Received: less")

    splits = LazySplits({"train": fail})
    for _ in range(2):
        with pytest.raises(InputError, match="Expected more"):
            splits["train"]


def test_changed_splits_are_loaded_as_late():
    splits, made = counting(["train", "test"])
    changed = map_splits(splits, lambda name, of: [*of, name.upper()])
    assert made == []
    assert changed["test"] == ["test", "TEST"]
    assert made == ["test"]


def test_new_data_are_loaded_as_late():
    splits, made = counting(["test", "more"])
    found = splits_to_score(splits)
    assert list(found) == ["train", "test", "more"]
    assert found["more"] == ["more"]
    assert made == ["more"]


def test_an_array_is_computed_once_when_numpy_asks():
    made = []
    array = lazy_array(lambda: made.append(1) or np.array([1, 2]))
    assert made == []
    assert len(array) == 2
    np.testing.assert_array_equal(np.asarray(array) > 1, [False, True])
    changed = np.array(array, np.float64)
    changed[0] = 9
    assert np.asarray(array).tolist() == [1, 2]
    assert made == [1]


def test_notes_are_refused_when_somebody_reads_them():
    made = []
    notes = LazyNotes(lambda: made.append(1) or ["a", "b"])
    assert made == []
    assert (*notes, notes[0], len(notes)) == ("a", "b", "a", 2)
    assert notes == ("a", "b")
    assert made == [1]

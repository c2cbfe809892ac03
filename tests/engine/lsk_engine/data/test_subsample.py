import numpy as np

from lsk_engine.data.data_cache import load_data
from lsk_engine.data.subsample import subsample, take_examples
from lsk_engine.settings.resolving import resolve_config
from tiny_task import TinyTask


def loaded(**settings):
    task = TinyTask()
    config = resolve_config(task, None, settings)
    return load_data(task, config, None), task.load_data(config)


def test_no_split_has_more_and_it_is_said():
    data, whole = loaded(**{"training.max_examples": 10})
    assert [len(split) for split in data.splits.values()] == [10, 10, 9]
    assert data.notes == ("train: a quick look at 10 of 41 examples",)
    assert data.splits["test"] is not whole.splits["test"]
    assert subsample(whole, None) is whole
    assert subsample(whole, 41).notes == ()


def test_the_draw_is_the_same_for_every_seed_and_not_the_first():
    (one, whole), (two, _) = (
        loaded(**{"training.max_examples": 10, "training.seed": seed}) for seed in (0, 1)
    )
    assert one.splits["train"].references == two.splits["train"].references
    assert one.splits["train"].references != whole.splits["train"].references[:10]


def test_taken_examples_are_those_of_the_split():
    whole = loaded()[1].splits["train"]
    rows = np.array([3, 7, 20])
    some = take_examples(whole, rows)
    assert len(some) == 3
    assert some.references == [whole.references[row] for row in rows]
    np.testing.assert_array_equal(some.sizes, whole.sizes[rows])
    np.testing.assert_array_equal(some.label_counts(), whole.label_counts()[rows])
    again = some.gather(np.array([2, 0]), 8)
    expected = whole.gather(rows[[2, 0]], 8)
    np.testing.assert_array_equal(again[0]["letters"], expected[0]["letters"])
    np.testing.assert_array_equal(again[1], expected[1])

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.tasks.class_ids import class_ids, count_classes
from lsk_engine.tasks.contract import TaskData


def data(names):
    return TaskData({}, len(names), None, names, np.ones(len(names)))


def test_names_come_before_numbers():
    assert class_ids(["bird", "0"], data(["car", "bird", "0"])) == (1, 2)
    assert class_ids(["2", "car"], data(["car", "bird", "fish"])) == (2, 0)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["brid"], "Near matches: bird"),
        (["3"], "Known: car, bird, car"),
        (["car"], "give its number. Received: one of \\[0, 2\\]"),
        (["bird", "1"], "different classes"),
    ],
)
def test_mistakes_are_told(names, message):
    with pytest.raises(InputError, match=message):
        class_ids(names, data(["car", "bird", "car"]))


def test_a_vocabulary_is_not_listed():
    with pytest.raises(InputError, match="Known: numbers below 500, and names") as error:
        class_ids(["ü"], data([f"token-{i:03d}" for i in range(500)]))
    assert len(str(error.value)) < 150


@pytest.mark.parametrize("largest", [10**6, 2**31])
def test_the_largest_label_gives_a_bounded_number_of_classes(largest):
    assert count_classes(9) == 10
    with pytest.raises(InputError, match=f"at most 1,000,000 .*Received: {largest:,} as"):
        count_classes(largest)

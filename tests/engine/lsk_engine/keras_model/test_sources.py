"""A user's data from files and functions."""

import sys

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.keras_model.arrays import read_split
from lsk_engine.keras_model.config import DataConfig
from lsk_engine.keras_model.data import new_data, task_data
from lsk_engine.keras_model.sources import load_source, split_arrays
from lsk_engine.settings.user_code import trust_code
from own_files import points

X, Y = points(12)
FUNCTIONS = """
import keras
import numpy as np

X, Y = np.ones((6, 2)), np.arange(6) % 2

class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[2 * index : 2 * index + 2], Y[2 * index : 2 * index + 2]

def splits():
    return {"train": (X, Y), "test": (X[:2], Y[:2]), "validation": None, "class_names": ["a", "b"]}

def named():
    return {"x_train": X, "y_train": Y, "x_val": X[:2], "y_val": Y[:2]}

def pair():
    return X, Y

def like_keras():
    return (X, Y), (X[:2], Y[:2])

def batches():
    return {"train": Batches(), "test": Batches()}

def one():
    return Batches()

def nothing():
    return None

def misnamed():
    return {"train": (X, Y), "tset": (X, Y)}

def one_axis():
    return {"x_train": X}

def with_nan():
    return np.where(np.arange(12).reshape(6, 2) == 5, np.nan, X), Y

def raises():
    return {}["x"]
"""


def written(folder, **arrays):
    np.savez(folder / "own.npz", **arrays)
    return str(folder / "own.npz")


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("x", "y", "features_test", "targets_test"),
    ],
)
def test_common_names_of_arrays_are_recognized(tmp_path, names):
    arrays = dict(zip(names, (X, Y, X[:5], Y[:5]), strict=True))
    splits, class_names = load_source(written(tmp_path, **arrays, mean=X.mean()))
    assert {name: len(split) for name, split in splits.items()} == {"train": 12, "test": 5}
    assert class_names is None


def test_classes_may_have_names(tmp_path):
    file = written(tmp_path, x_train=X, y_train=Y, class_names=np.array(["a", "b", "c"]))
    assert load_source(file)[1] == ["a", "b", "c"]


@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev"])
def test_validation_has_several_names(val):
    arrays = {"x_train": X, "y_train": Y, f"x_{val}": X, f"y_{val}": Y}
    assert list(split_arrays(arrays, "a")) == ["train", "validation"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X}, "Expected y_train in .*own.npz. Received: images"),
        ({"x_test": X, "y_test": Y}, "Expected x_train and y_train in .*Received: x_test, y_test"),
        ({"weights": X}, "Expected x_train and y_train in .*Received: weights"),
        (
            {"x_train": X, "y_train": Y, "x_val": X, "x_validation": X},
            "one array for x of validation in .*Received: x_val and x_validation",
        ),
        ({"x_train": X, "y_train": Y[:3]}, "as many labels as examples in train of .*own.npz"),
        ({"x_train": X, "y_train": np.array(["a"] * 12)}, "integer labels in y of train of"),
        ({"x_train": np.array([{}] * 12), "y_train": Y}, "Received: [Oo]bject"),
    ],
)
def test_invalid_files_are_refused_in_one_line(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message) as error:
        load_source(written(tmp_path, **arrays))
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own_data.py"
    path.write_text(FUNCTIONS)
    before = [*sys.path]
    yield path
    sys.path[:] = before


def of(file, function):
    trust_code(f"{file}:{function}")
    return load_source(f"{file}:{function}")


@pytest.mark.parametrize(
    ("function", "sizes"),
    [
        ("splits", {"train": 6, "test": 2}),
        ("named", {"train": 6, "validation": 2}),
        ("pair", {"train": 6}),
        ("like_keras", {"train": 6, "test": 2}),
        ("batches", {"train": 6, "test": 6}),
        ("one", {"train": 6}),
    ],
)
def test_a_function_returns_arrays_or_data_sets(file, function, sizes):
    splits, names = of(file, function)
    assert {name: len(split) for name, split in splits.items()} == sizes
    assert names == (["a", "b"] if function == "splits" else None)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", r"own_data.py:nothing to return \{'train'.*Received: NoneType"),
        ("misnamed", "train, validation, test and class_names. Received: tset"),
        ("one_axis", "Expected y_train in .*own_data.py:one_axis"),
        ("with_nan", "finite numbers in x of train of .*own_data.py:with_nan.*row 2$"),
        ("raises", r"own_data.py:raises to return .*KeyError: '?x'? \(line \d+ of"),
        ("missing", "a function 'missing' in .*Received: Batches, splits, named"),
    ],
)
def test_invalid_functions_are_refused_in_one_line(file, function, message):
    with pytest.raises(InputError, match=message) as error:
        of(file, function)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", ["nowhere.npz", "mnist", "tfds:mnist"])
def test_unknown_sources_are_refused(source):
    with pytest.raises(InputError, match="nowhere.npz|an .npz file, FILE.py:function"):
        load_source(source)


def test_new_data_have_the_classes_of_the_run_and_no_held_out_examples(tmp_path):
    options = DataConfig(source="x.npz", test=10)
    run = task_data({"train": read_split(points(60), "train")}, options)
    other = {"train": read_split(points(30, seed=1), "train")}
    data = new_data(other, options, None, run.artifacts)
    assert [len(split) for split in data.splits.values()] == [30, 30]
    assert list(data.splits) == ["train", "all"]
    assert data.num_classes == 3
    with pytest.raises(InputError, match="classes of the run, 0, 1, 2. Received: a, b, c"):
        new_data(other, options, ["a", "b", "c"], run.artifacts)

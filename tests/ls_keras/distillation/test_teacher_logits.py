import errno
import os

import keras
import numpy as np
import pytest
from scipy.special import softmax

from ls_base.errors import FileError, InputError
from ls_keras import Distiller, TeacherLogits

N, K = 10, 6


class Teacher:
    """A stand-in for a model that records the shapes of its inputs."""

    name = "teacher"

    def __init__(self, function):
        self.function, self.batches = function, []

    def predict_on_batch(self, inputs):
        self.batches.append(keras.tree.map_structure(lambda x: x.shape, inputs))
        return self.function(inputs)

    def get_weights(self):
        return [np.zeros(3)]


def data():
    rng = np.random.default_rng(0)
    return rng.normal(0, 4, (N, K)).astype("float32"), np.arange(N) % K


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0), ("float16", 2**-11)])
def test_all_logits_are_stored_and_gathered(tmp_path, dtype, tolerance):
    x, y = data()
    teacher = Teacher(lambda inputs: inputs)
    cache = TeacherLogits.compute(tmp_path / "c", teacher, (x, y), dtype=dtype, batch_size=4)
    assert teacher.batches == [(4, K)] * 3  # all batches have the same shape
    assert len(cache) == N
    assert cache.gather().dtype == np.float32
    np.testing.assert_allclose(cache.gather(), x, rtol=tolerance)
    np.testing.assert_allclose(cache.gather([3, 0]), x[[3, 0]], rtol=tolerance)
    again = TeacherLogits.open(tmp_path / "c", (x, y), teacher)
    np.testing.assert_array_equal(again.gather(), cache.gather())
    assert isinstance(again._logits, np.memmap)
    assert [f.name for f in tmp_path.iterdir()] == ["c"]


def test_labels_may_have_a_last_axis_of_one(tmp_path):
    """Keras's datasets have such labels."""
    x, y = data()
    cache = TeacherLogits.compute(
        tmp_path / "c", Teacher(lambda x: x), (x, y[:, None]), dtype="float32", batch_size=4
    )
    np.testing.assert_array_equal(cache.gather([3, 0], y[[3, 0], None]), x[[3, 0]])
    np.testing.assert_array_equal(cache.gather([3, 0]), x[[3, 0]])


def test_the_k_largest_are_kept_and_the_rest_shares_its_mass(tmp_path):
    x, y = data()
    cache = TeacherLogits.compute(tmp_path / "c", Teacher(lambda x: x), (x, y), top_k=2)
    p, kept = softmax(x, -1), softmax(cache.gather(), -1)
    top = np.argsort(-p, -1)[:, :2]
    np.testing.assert_allclose(
        np.take_along_axis(kept, top, -1), np.take_along_axis(p, top, -1), rtol=5e-3
    )
    rest = np.argsort(-p, -1)[:, 2:]
    shared = np.take_along_axis(p, rest, -1).mean(-1, keepdims=True).repeat(K - 2, -1)
    np.testing.assert_allclose(np.take_along_axis(kept, rest, -1), shared, rtol=5e-3)


def test_masked_classes_stay_masked(tmp_path):
    x, y = data()
    x[:, 1:] = -np.inf
    for name, options in (("whole", {}), ("largest", {"top_k": 2})):
        cache = TeacherLogits.compute(tmp_path / name, Teacher(lambda x: x), (x, y), **options)
        np.testing.assert_allclose(softmax(cache.gather(), -1), np.eye(K)[[0] * N], atol=1e-6)


def test_stored_logits_give_the_loss_of_the_teacher(tmp_path):
    x, y = data()
    teacher = keras.Sequential([keras.Input((K,)), keras.layers.Dense(4)])
    y = y % 4
    cache = TeacherLogits.compute(tmp_path / "c", teacher, (x, y), dtype="float32")
    student = keras.Sequential([keras.Input((K,)), keras.layers.Dense(4)])
    losses = []
    for given, inputs in ((teacher, x), (None, (x, cache.gather()))):
        distiller = Distiller(student, given, beta=0.5)
        distiller.compile("sgd")
        losses.append(distiller.evaluate(inputs, y, batch_size=N, verbose=0))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert TeacherLogits.open(tmp_path / "c", (x, y), teacher).num_classes == 4
    teacher.set_weights([w + 1 for w in teacher.get_weights()])
    with pytest.raises(InputError, match="Expected the teacher of the logits in"):
        TeacherLogits.open(tmp_path / "c", (x, y), teacher)


def test_padding_is_not_stored(tmp_path):
    y = np.array([[1, 2, 0, 0], [3, 0, 0, 0], [1, 1, 1, 1]])
    x = np.random.default_rng(0).normal(size=(3, 4, K)).astype("float32")
    options = {"ignore_class": 0, "dtype": "float32", "batch_size": 2}
    cache = TeacherLogits.compute(tmp_path / "c", Teacher(lambda x: x), (x, y), **options)
    assert len(cache._logits) == 7
    logits = cache.gather([2, 0], y[[2, 0]])
    np.testing.assert_array_equal(logits, np.where(y[[2, 0], :, None] > 0, x[[2, 0]], 0))
    with pytest.raises(InputError, match="Expected labels, which mark padding"):
        cache.gather([0, 1])
    with pytest.raises(InputError, match="1 positions that count.*Received: 1 with 4"):
        cache.gather([1], np.ones((1, 4), int))
    for labels in (y[[1, 0]], y[[0, 1, 2]][:, :1]):  # other rows; more rows
        with pytest.raises(
            InputError, match="2 examples with 3 positions that count, distributed as"
        ):
            cache.gather([0, 1], labels)


def test_a_failing_teacher_leaves_no_folder(tmp_path):
    calls = []

    def failing(inputs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return inputs

    x, y = data()
    with pytest.raises(KeyboardInterrupt):
        TeacherLogits.compute(tmp_path / "c", Teacher(failing), (x, y), batch_size=4)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def cached(tmp_path):
    x, y = data()
    TeacherLogits.compute(tmp_path / "c", Teacher(lambda x: x), (x, y), teacher_id="run 7")
    return tmp_path / "c", x, y


def test_logits_of_other_examples_and_teachers_raise_input_errors(cached):
    path, x, y = cached
    TeacherLogits.open(path, (x, y), "run 7")
    TeacherLogits.open(path, (x, y))
    with pytest.raises(
        InputError, match="the teacher of the logits.*Received: another teacher, run 8"
    ):
        TeacherLogits.open(path, (x, y), "run 8")
    with pytest.raises(InputError, match="in the order.*Received: the same examples in another"):
        TeacherLogits.open(path, (x[::-1], y[::-1]))
    with pytest.raises(InputError, match="the 10 examples.*Received: 10 examples that are not"):
        TeacherLogits.open(path, (x, (y + 1) % K))
    with pytest.raises(InputError, match="the 10 examples.*Received: 9 examples that are not"):
        TeacherLogits.open(path, (x[:9], y[:9]))


def test_damaged_folders_raise_input_errors(cached, tmp_path):
    path, x, y = cached
    with pytest.raises(InputError, match="a folder that TeacherLogits.compute wrote"):
        TeacherLogits.open(tmp_path / "nowhere", (x, y))
    (path / "logits.npy").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"Expected .*logits.npy as it was computed"):
        TeacherLogits.open(path, (x, y))
    (path / "teacher-logits.json").write_text('{"schema": 0}')
    with pytest.raises(InputError, match="Expected schema 1"):
        TeacherLogits.open(path, (x, y))


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda x: x, {"top_k": 0}, r"top_k in \[1, 6\). Received: 0"),
        (lambda x: x, {"top_k": K}, r"top_k in \[1, 6\). Received: 6"),
        (lambda x: x, {"dtype": "int8"}, "dtype to be one of float16, float32. Received: 'int8'"),
        (lambda x: x * 1e5, {}, "of at most 65504 .float16."),
        (lambda x: x * np.nan, {}, "without NaN or [+]inf.*Received: nan in example 0"),
        (lambda x: np.where(x > 0, np.inf, x), {}, "Received: inf"),
        (lambda x: x[:, None], {}, r"logits of shape \(10,\) \+ \(K,\), one row for each label"),
        (lambda x: x, {"ignore_class": 0, "y": 0}, "positions that count. Received: none"),
    ],
)
def test_wrong_options_and_logits_raise_input_errors(tmp_path, function, options, message):
    x, y = data()
    y = y * options.pop("y", 1)
    with pytest.raises(InputError, match=message):
        TeacherLogits.compute(tmp_path / "c", Teacher(function), (x, y), **options)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folders_raise_errors(cached, tmp_path):
    path, x, y = cached
    with pytest.raises(InputError, match="Expected a new folder"):
        TeacherLogits.compute(path, Teacher(lambda x: x), (x, y))
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Expected to be able to write"):
        TeacherLogits.compute(tmp_path / "file" / "c", Teacher(lambda x: x), (x, y))
    with pytest.raises(InputError, match="Expected examples to be .x, y."):
        TeacherLogits.compute(tmp_path / "d", Teacher(lambda x: x), x)


def test_a_full_disk_raises_a_file_error(tmp_path, monkeypatch):
    refusals = [errno.ENOSPC, errno.ENOTSUP]  # ENOTSUP: the file system cannot reserve space

    def refuse(*arguments):
        number = refusals.pop(0)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    x, y = data()
    with pytest.raises(FileError, match=r"able to write .*/c. Received: No space left on device"):
        TeacherLogits.compute(tmp_path / "c", Teacher(lambda x: x), (x, y))
    assert list(tmp_path.iterdir()) == []
    assert len(TeacherLogits.compute(tmp_path / "c", Teacher(lambda x: x), (x, y))) == N


def test_a_teacher_of_probabilities_raises_or_warns(tmp_path):
    x, y = data()
    layers = [keras.Input((K,)), keras.layers.Dense(K, activation="softmax")]
    with pytest.raises(InputError, match="teacher whose output is logits.*softmax"):
        TeacherLogits.compute(tmp_path / "c", keras.Sequential(layers), (x, y))
    assert not (tmp_path / "c").exists()
    unseen = Teacher(lambda inputs: softmax(inputs, -1))  # without a graph
    with pytest.warns(UserWarning, match="logits"):
        TeacherLogits.compute(tmp_path / "c", unseen, (x, y), batch_size=N)

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras.distillation.logits_files import TopLogits, expand

K, TOP = 7, 3


class Teacher:
    name = "teacher"

    def get_weights(self):
        return []

    def predict_on_batch(self, inputs):
        return np.asarray(inputs, np.float32) @ np.arange(4 * K).reshape(4, K).astype(np.float32)


@pytest.fixture
def kept(tmp_path, rng):
    """Stored logits of three positions for each example; one position is padding."""
    x = rng.normal(size=(5, 3, 4)).astype(np.float32)
    y = rng.integers(1, K, (5, 3))
    y[:, 2] = 0
    return (
        x,
        y,
        ls_keras.TeacherLogits.compute(
            tmp_path / "logits", Teacher(), (x, y), ignore_class=0, top_k=TOP
        ),
    )


def test_expand_equals_gather(kept):
    _, labels, cache = kept
    rows = np.array([3, 0, 4])
    dense = cache.gather(rows, labels[rows])
    top = cache.gather_top(rows, labels[rows])
    assert [part.shape for part in top] == [(3, 3, TOP), (3, 3, TOP), (3, 3)]
    assert [str(part.dtype) for part in top] == ["float32", "int32", "float32"]
    found = ops.convert_to_numpy(expand(TopLogits(*top), K))
    np.testing.assert_array_equal(found, dense)  # exactly


def test_fixed_shapes_need_no_labels(tmp_path, rng):
    x, y = rng.normal(size=(5, 4)).astype(np.float32), np.arange(5) % K
    cache = ls_keras.TeacherLogits.compute(tmp_path / "logits", Teacher(), (x, y), top_k=TOP)
    top = TopLogits(*cache.gather_top())
    assert top.logits.shape == (5, TOP)
    np.testing.assert_array_equal(ops.convert_to_numpy(expand(top, K)), cache.gather())


def test_excluded_classes_stay_excluded():
    top = TopLogits(
        np.array([[0.0, -np.inf]], np.float32), np.array([[2, 0]]), np.array([-np.inf], np.float32)
    )
    found = ops.convert_to_numpy(expand(top, 4))
    assert found.tolist() == [[-np.inf, -np.inf, 0.0, -np.inf]]


def test_gather_top_of_all_logits_raises_an_input_error(tmp_path):
    cache = ls_keras.TeacherLogits.compute(tmp_path / "l", Teacher(), (np.eye(4), np.arange(4)))
    with pytest.raises(InputError, match="the k largest logits. Received: all"):
        cache.gather_top()


def test_both_forms_train_the_same_student(kept):
    x, labels, cache = kept
    losses = []
    for compact in (False, True):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((None, 4), name="x")
        student = keras.Model({"x": inputs}, keras.layers.Dense(K)(inputs))
        distiller = ls_keras.Distiller(student, ignore_class=0, from_logits=True)
        distiller.compile("sgd")
        given = {"x": x, "teacher_logits": cache.gather(None, labels)}
        if compact:
            names = ("teacher_logits", "teacher_classes", "teacher_rest")
            given |= dict(zip(names, cache.gather_top(None, labels), strict=True))
        distiller.fit(given, labels, batch_size=5, epochs=2, shuffle=False, verbose=0)
        losses.append(distiller.evaluate(given, labels, verbose=0))
    assert losses[0] == losses[1]

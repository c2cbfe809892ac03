import numpy as np
import pytest
from keras import ops
from scipy.spatial.distance import cdist

from ls_base.errors import InputError
from ls_keras.representation import nearest_classes, template_distances


@pytest.fixture
def data(rng):
    return rng.normal(size=(6, 8)).astype("float32"), rng.normal(size=(9, 5)).astype("float32")


def test_distances_equal_scipy(data):
    x, w = data
    expected = cdist(np.concatenate([x, np.ones((6, 1))], 1), w.T)
    for activations in (x, np.concatenate([x, np.ones((6, 1), "float32")], 1)):
        found = ops.convert_to_numpy(template_distances(activations, w))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    squares = template_distances(x.reshape(2, 3, 8), w, squared=True)
    np.testing.assert_allclose(squares, expected.reshape(2, 3, 5) ** 2, rtol=1e-5)


def test_a_common_offset_keeps_precision(data):
    # Without centering, squares of 1e6 leave no digits for distances near 4 in float32.
    _, w = data
    x = w.T[:3] + np.float32(0.25)
    moved = ops.convert_to_numpy(template_distances(x + np.float32(1000), w + np.float32(1000)))
    np.testing.assert_allclose(moved, cdist(x, w.T), atol=2e-3)


def test_memory_does_not_grow_with_examples_times_classes_times_features(rng):
    # 2,000 × 2,000 × 1,000 float32: 16 GB.
    x, w = rng.random((2000, 1000), "float32"), rng.random((1000, 2000), "float32")
    found = ops.convert_to_numpy(template_distances(x, w))
    np.testing.assert_allclose(found[7, :9], np.linalg.norm(x[7] - w.T[:9], axis=1), rtol=1e-4)


def test_nearest_classes_equal_sorted_distances(data):
    _, w = data
    order = np.argsort(cdist(w.T, w.T), axis=1)[:, 1:]
    for k in range(5):
        assert nearest_classes(w, k, 3) == tuple(order[k, :3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: template_distances(np.zeros((2, 3)), w), "9, as the templates"),
        (lambda w: template_distances(np.zeros(()), w), "shape \\(\\)"),
        (lambda w: template_distances(np.zeros((2, 9)), w[0]), "shape \\(5,\\)"),
        (lambda w: template_distances(np.zeros((2, 9)), w[:, :1]), "K ≥ 2"),
        (lambda w: template_distances(np.zeros((2, 9)), w * np.nan), "NaN or infinity"),
        (lambda w: nearest_classes(w, 5), "class_id to be at most 4. Received: 5"),
        (lambda w: nearest_classes(w, 1.0), "Received: 1.0"),
        (lambda w: nearest_classes(w, 0, 5), "count"),
        (lambda w: nearest_classes(w, 0, 0), "count"),
    ],
)
def test_wrong_arguments_raise_input_errors(data, call, message):
    with pytest.raises(InputError, match=message):
        call(data[1])

import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.representation import mean_logits


def test_rows_are_means_of_centered_logits(rng):
    z, y = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    expected = np.stack([(z[y == k] - z[y == k].mean(1, keepdims=True)).mean(0) for k in range(3)])
    found = mean_logits(y, z)
    np.testing.assert_allclose(found.matrix[:3], expected, rtol=1e-5)
    assert np.isnan(found.matrix[3]).all()
    assert found.counts.tolist() == np.bincount(y, minlength=4).tolist()
    some = mean_logits(y, z, classes=(2, 0))
    np.testing.assert_allclose(some.matrix, expected[[2, 0]][:, [2, 0]], rtol=1e-5)
    others = [np.delete(expected[k], k).std() for k in range(3)]
    assert found.structure() == pytest.approx(np.mean(others), rel=1e-5)


def test_a_constant_added_to_the_logits_of_an_example_changes_nothing(rng):
    z, y = rng.normal(size=(30, 4)), rng.integers(0, 4, 30)
    moved = mean_logits(y, z + rng.normal(size=(30, 1)) * 10)
    np.testing.assert_allclose(moved.matrix, mean_logits(y, z).matrix, atol=1e-5)


def test_structure_is_zero_without_similarity():
    assert mean_logits(np.arange(5), 7 * np.eye(5)).structure() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("classes", "message"),
    [((0,), "at least two"), ((0, 0), "different"), ((0, 4), "Received: 4")],
)
def test_wrong_classes_raise_input_errors(classes, message):
    with pytest.raises(InputError, match=message):
        mean_logits([0, 1], np.zeros((2, 4)), classes=classes)


def test_too_many_classes_for_the_memory_raise_an_input_error():
    with pytest.raises(InputError, match=r"300,000 classes x 300,000 features take 671 GiB"):
        mean_logits([0], np.zeros((1, 300_000), np.float32))

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from ls_base.errors import InputError
from ls_keras.representation import confidence_spread, mean_logits
from ls_keras.representation.class_statistics import ClassMoments


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 30), max_size=4), st.floats(-1e6, 1e6))
def test_moments_equal_numpy_for_any_batches(seed, cuts, offset):
    rng = np.random.default_rng(seed)
    labels, values = rng.integers(0, 4, 30), rng.normal(size=(30, 3)) + offset
    moments = ClassMoments(5, 3)
    for part in np.split(np.arange(30), sorted(cuts)):
        moments.add(labels[part], values[part])
    assert moments.counts.tolist() == np.bincount(labels, minlength=5).tolist()
    for k in range(4):
        own = values[labels == k]
        if len(own):
            np.testing.assert_allclose(moments.means[k], own.mean(0), rtol=1e-9)
            np.testing.assert_allclose(
                moments.deviations()[k], np.sqrt(own.var(0).sum()), rtol=1e-5, atol=1e-9
            )
    assert np.isnan(moments.deviations()[4])


def test_spread_equals_the_deviation_within_each_class(rng):
    z, y = rng.normal(size=(50, 4)) * 3, rng.integers(0, 3, 50)
    p = softmax(z, axis=1)
    for found in (confidence_spread(y, p), confidence_spread(y, z, from_logits=True)):
        for k in range(3):
            own = p[y == k, k]
            assert found.mean[k] == pytest.approx(own.mean(), rel=1e-5)
            assert found.deviation[k] == pytest.approx(own.std(), rel=1e-5)
        assert np.isnan(found.mean[3])
        within = np.sqrt(sum(((p[y == k, k] - p[y == k, k].mean()) ** 2).sum() for k in range(3)))
        assert found.within() == pytest.approx(within / np.sqrt(50), rel=1e-5)


def test_padding_does_not_count(rng):
    z, y = rng.normal(size=(4, 3, 5)), rng.integers(0, 5, (4, 3))
    padded = np.where(np.arange(3) < 2, y, -1)
    found = confidence_spread(padded, z, from_logits=True, ignore_class=-1)
    cut = confidence_spread(y[:, :2], z[:, :2], from_logits=True)
    np.testing.assert_array_equal(found.counts, cut.counts)
    np.testing.assert_allclose(found.deviation, cut.deviation, rtol=1e-6)


def test_logits_as_probabilities_and_empty_data_raise_input_errors():
    with pytest.raises(InputError, match="from_logits=True. Received: 3.0"):
        confidence_spread([0, 1], [[3.0, 0.0], [0.0, 0.5]])
    with pytest.raises(InputError, match="at least one example"):
        confidence_spread([-1], [[1.0, 0.0]], ignore_class=-1)


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

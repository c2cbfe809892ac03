import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.representation import (
    ProjectionSampler,
    project,
    project_classes,
    template_plane,
)

PLANE = template_plane(np.eye(6)[:, :5], (1, 4, 0))


@pytest.fixture
def data(rng):
    return rng.integers(0, 5, 120), rng.normal(size=(120, 6)).astype("float32")


def test_all_examples_of_the_three_classes_where_there_are_few(data):
    y, x = data
    found = project_classes(y, x, PLANE, num_classes=5, per_class=100)
    assert found.classes == (1, 4, 0)
    assert found.names == ("1", "4", "0")
    for k in (1, 4, 0):
        own = found.coordinates[found.labels == k]
        expected = ops.convert_to_numpy(project(x[y == k], PLANE))
        np.testing.assert_allclose(np.sort(own, 0), np.sort(expected, 0), rtol=1e-5)


def test_a_sample_of_each_class_that_depends_on_the_seed_alone(data):
    y, x = data
    whole = project_classes(y, x, PLANE, num_classes=5, per_class=7, seed=3)
    sampler = ProjectionSampler(PLANE, 5, per_class=7, seed=3)
    for start in range(0, 120, 17):
        sampler.update(y[start : start + 17], x[start : start + 17])
    # Near 0 within the rounding of the numbers of size 1 that are added: JAX sums other rows apart.
    np.testing.assert_allclose(
        sampler.result().coordinates, whole.coordinates, rtol=1e-6, atol=1e-7
    )
    assert np.bincount(whole.labels).tolist() == [7, 7, 0, 0, 7]
    other = project_classes(y, x, PLANE, num_classes=5, per_class=7, seed=4)
    assert not np.allclose(other.coordinates, whole.coordinates)


def test_every_example_is_drawn_as_often_as_another():
    y = np.ones(20, int)
    x = np.zeros((20, 6), "float32")
    x[:, 5] = 1
    x[:, 1] = np.arange(20)
    drawn = np.zeros(20)
    rest = np.array([0, 4]), np.zeros((2, 6), "float32")
    for seed in range(120):
        sampler = ProjectionSampler(PLANE, 5, per_class=5, seed=seed)
        sampler.update(*rest)
        sampler.update(y, x)
        offset = PLANE.origin @ PLANE.axes @ PLANE.axes[1]
        along = (sampler.result().coordinates[:5] @ PLANE.axes[1] + offset) / (
            PLANE.axes[1] @ PLANE.axes[1]
        )
        drawn[np.rint(along).astype(int)] += 1
    # Binomial(120, 1/4): mean 30, standard deviation 4.7.
    assert drawn.sum() == 600
    assert np.abs(drawn - 30).max() < 4 * 4.7


def test_bad_input_is_told(data):
    y, x = data
    with pytest.raises(InputError, match="none of class 'four'"):
        project_classes(
            np.where(y == 4, 3, y),
            x,
            PLANE,
            num_classes=5,
            class_names=["0", "1", "2", "3", "four"],
        )
    with pytest.raises(InputError, match="per_class"):
        ProjectionSampler(PLANE, 5, per_class=0)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops
from scipy.spatial.distance import pdist

from ls_base.errors import InputError
from ls_keras.representation import ProjectionSampler, project, project_classes, template_plane

PLANE = template_plane(np.eye(6)[:, :5], (1, 4, 0))


@pytest.fixture
def data(rng):
    return rng.integers(0, 5, 120), rng.normal(size=(120, 6)).astype("float32")


def test_all_examples_are_projected_if_there_are_few(data):
    y, x = data
    found = project_classes(y, x, PLANE, num_classes=5, per_class=100)
    assert found.classes == (1, 4, 0)
    assert found.names == ("1", "4", "0")
    for k in (1, 4, 0):
        own = found.coordinates[found.labels == k]
        expected = ops.convert_to_numpy(project(x[y == k], PLANE))
        np.testing.assert_allclose(np.sort(own, 0), np.sort(expected, 0), rtol=1e-5)


def test_the_sample_depends_on_the_seed_and_not_on_batches(data):
    y, x = data
    whole = project_classes(y, x, PLANE, num_classes=5, per_class=7, seed=3)
    sampler = ProjectionSampler(PLANE, 5, per_class=7, seed=3)
    for start in range(0, 120, 17):
        sampler.update(y[start : start + 17], x[start : start + 17])
    # Near 0, rounding errors differ between batches on JAX.
    np.testing.assert_allclose(
        sampler.result().coordinates, whole.coordinates, rtol=1e-6, atol=1e-7
    )
    assert np.bincount(whole.labels).tolist() == [7, 7, 0, 0, 7]
    other = project_classes(y, x, PLANE, num_classes=5, per_class=7, seed=4)
    assert not np.allclose(other.coordinates, whole.coordinates)


def test_all_examples_are_equally_likely_to_be_sampled():
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


def test_missing_classes_and_wrong_counts_raise_input_errors(data):
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


def test_plane_and_projection_of_a_right_triangle():
    # A right triangle in the plane z = 5 of a space of three features: legs 6 and 3.
    w = np.array([[0.0, 6.0, 0.0, 1.0], [0.0, 0.0, 3.0, 1.0], [5.0, 5.0, 5.0, 1.0]])
    plane = template_plane(w, (0, 1, 2))
    np.testing.assert_allclose(plane.origin, [2, 1, 5])
    np.testing.assert_allclose(plane.axes, [[1, 0], [0, 1], [0, 0]], atol=1e-12)
    np.testing.assert_allclose(plane.corners, [[-2, -1], [4, -1], [-2, 2]], atol=1e-12)
    found = ops.convert_to_numpy(project(np.array([[3.0, 3.0, 9.0]]), plane))
    np.testing.assert_allclose(found, [[1, 2]], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.float32, (7, 5), elements=st.floats(-8, 8, width=32)),
    st.permutations(range(5)),
)
def test_basis_is_orthonormal_and_keeps_the_triangle(w, order):
    w = w + np.eye(7, 5) * 20
    plane = template_plane(w, order[:3])
    np.testing.assert_allclose(plane.axes.T @ plane.axes, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(pdist(plane.corners), pdist(w.T[list(order[:3])]), rtol=1e-5)
    assert plane.corners[2, 1] > plane.corners[0, 1] == pytest.approx(plane.corners[1, 1])
    np.testing.assert_allclose(plane.corners.mean(0), 0, atol=1e-9)


def test_projection_is_orthogonal(rng):
    w = rng.normal(size=(7, 4)).astype("float32")
    plane = template_plane(w, (3, 0, 2))
    x = rng.normal(size=(2, 5, 7)).astype("float32")
    found = ops.convert_to_numpy(project(x, plane))
    assert found.shape == (2, 5, 2)
    rest = x - (plane.origin + found @ plane.axes.T)
    np.testing.assert_allclose(rest @ plane.axes, 0, atol=1e-5)
    without_one = ops.convert_to_numpy(project(x[..., :6], plane))
    x[..., 6] = 1
    np.testing.assert_allclose(without_one, ops.convert_to_numpy(project(x, plane)), atol=1e-6)
    corners = ops.convert_to_numpy(project(w.T[[3, 0, 2]], plane))
    np.testing.assert_allclose(corners, plane.corners, atol=1e-5)


LINE = np.array([[0.0, 1.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0], [3.0, 4.0, 5.0, 3.0]])


@pytest.mark.parametrize(
    ("w", "classes", "message"),
    [
        (LINE, (0, 1, 2), "lie on a line"),
        (LINE, (0, 3, 1), "lie on a line"),  # two at one point
        (LINE, (0, 1, 3), "lie on a line"),
        (np.ones((3, 4)), (0, 1, 2), "lie on a line"),
        (LINE + 1e-9 * np.eye(3, 4), (0, 1, 2), "lie on a line"),
        (np.eye(3), (0, 1), "three classes. Received: 2"),
        (np.eye(3), (0, 1, 1), "different classes"),
        (np.eye(3), (0, 1, 3), "Received: 3"),
        (np.eye(3), (0, -1, 2), "Received: -1"),
        (np.full((3, 3), np.nan), (0, 1, 2), "finite"),
    ],
)
def test_templates_without_a_plane_raise_input_errors(w, classes, message):
    with pytest.raises(InputError, match=message):
        template_plane(w, classes)


def test_a_small_triangle_far_from_the_origin_spans_a_plane():
    w = np.eye(3) * 1e-3 + 50
    plane = template_plane(w.astype("float64"), (0, 1, 2), tolerance=1e-6)
    np.testing.assert_allclose(pdist(plane.corners), 1e-3 * np.sqrt(2), rtol=1e-2)

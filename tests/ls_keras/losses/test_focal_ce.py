import keras
import numpy as np
import pytest
from keras import ops

from gradient import gradient
from ls_keras.losses import FocalCE


def test_by_hand():
    # p_y = 3/4: (1/4)² log(4/3)
    loss = FocalCE(2.0)([0], np.float32([[0.75, 0.25]]))
    assert float(loss) == pytest.approx(np.log(4 / 3) / 16, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_equals_keras_on_dense_targets(gamma):
    rng = np.random.default_rng(0)
    y = rng.dirichlet(np.ones(4), 6).astype("float32")
    z = 2 * rng.standard_normal((6, 4)).astype("float32")
    theirs = keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=gamma, from_logits=True, reduction=None
    )
    ours = FocalCE(gamma, from_logits=True, reduction=None)
    found, expected = (ops.convert_to_numpy(loss(y, z)) for loss in (ours, theirs))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0, 3.0, "flsd53"])
def test_the_gradient_is_finite_where_the_prediction_is_certain(gamma, dense):
    z = np.float32([[200.0, 0.0, 0.0], [-200.0, 200.0, 0.0], [0.0, 0.0, 60.0]])
    labels = np.array([0, 0, 2])
    y_true = np.eye(3, dtype="float32")[labels] if dense else labels
    loss = FocalCE(gamma, from_logits=True, reduction="sum")
    assert float(loss(y_true, z)) == pytest.approx(400, rel=1e-5)
    slopes = gradient(lambda z: loss(y_true, z), z)
    np.testing.assert_allclose(slopes, [[0, 0, 0], [-1, 1, 0], [0, 0, 0]], atol=1e-6)


def test_flsd_53_is_5_below_a_fifth_and_3_above():
    p = np.float32([[0.19, 0.81], [0.21, 0.79], [0.9, 0.1]])
    found = ops.convert_to_numpy(FocalCE("flsd53", reduction=None)([0, 0, 0], p))
    five, three = (
        ops.convert_to_numpy(FocalCE(gamma, reduction=None)([0, 0, 0], p)) for gamma in (5, 3)
    )
    np.testing.assert_allclose(found, [five[0], three[1], three[2]], rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0, "flsd53"])
def test_an_ignored_position_leaves_no_trace_where_class_0_is_forbidden(gamma):
    forbidden = ops.convert_to_tensor(np.float32([-np.inf, 0, 0, 0]))
    z = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")
    loss = FocalCE(gamma, from_logits=True, ignore_class=-1, reduction="sum")
    slopes = gradient(lambda z: loss([2, -1, 1], z + forbidden), z)
    assert np.isfinite(slopes).all()
    np.testing.assert_array_equal(slopes[1], np.zeros(4))
    assert np.abs(slopes[[0, 2], 1:]).min() > 0

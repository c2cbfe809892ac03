"""Targets that bring an α each: packed, and through `fit` from every source."""

import keras
import numpy as np
import pytest
from keras import ops

from loss_tester import log_softmax
from ls_base.errors import InputError
from ls_keras import Accuracy, NegativeLogLikelihood
from ls_keras.losses import SmoothedCE, with_alpha


def test_packing():
    labels = np.array([[0, 2**31 - 1], [-(2**31) + 1, 2**24 + 1]])
    rates = np.array([[0.1, 1e-30], [1 / 3, -0.5]])
    packed = with_alpha(labels, rates)
    assert packed.shape == (2, 2, 1, 2)
    assert packed.dtype == np.int32
    np.testing.assert_array_equal(packed[..., 0, 0], labels)
    np.testing.assert_array_equal(packed[..., 0, 1].copy().view("float32"), np.float32(rates))
    leading = with_alpha(np.zeros((2, 3), int), np.array([0.1, 0.2]))
    np.testing.assert_array_equal(
        leading[..., 0, 1].copy().view("float32"), np.float32([[0.1] * 3, [0.2] * 3])
    )
    dense = with_alpha(np.float32([[0.25, 0.5, 0.25]]), np.array([0.1]))
    np.testing.assert_array_equal(dense, np.float32([[[0.25, 0.5, 0.25], [0.1] * 3]]))
    tensor = with_alpha(ops.convert_to_tensor(labels % 5), ops.convert_to_tensor(rates))
    assert ops.is_tensor(tensor)
    for y_true, alpha in (
        ([2**31], [0.1]),
        ([0, 1], [0.1]),
        ([[0.0, 1.0]], [[0.1, 0.2]]),
        (1.0, 0.1),
    ):
        with pytest.raises(InputError, match="Expected"):
            with_alpha(np.array(y_true), np.array(alpha))


def fed(kind, x, y, weights):
    """Returns arguments of `fit`: the same three batches, as each source brings them."""
    if kind == "arrays":
        return {"x": x, "y": y, "sample_weight": weights, "batch_size": 4}
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        return {"x": tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(4)}
    if kind == "loader":
        import torch

        tensors = [torch.from_numpy(array) for array in (x, y, weights)]
        dataset = torch.utils.data.TensorDataset(*tensors)
        return {"x": torch.utils.data.DataLoader(dataset, batch_size=4)}

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return tuple(array[4 * i : 4 * i + 4] for array in (x, y, weights))

    return {"x": Batches()}


@pytest.mark.parametrize("kind", ["arrays", "tf.data", "PyDataset", "loader"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_compiled_fit_with_masks_weights_and_large_labels(kind, policy):
    if kind == "loader":
        pytest.importorskip("torch")
    classes, time, rng = 70_000, 5, np.random.default_rng(0)
    x = rng.integers(0, 4, (12, time))
    y = classes - 1 - rng.integers(0, 300, (12, time))
    y[:, -1] = -100
    rates = rng.random((12, time))
    weights = rng.random((12, time)).astype("float32")
    tokens = keras.Input((time,), dtype="int32")
    hidden = keras.layers.Embedding(4, 2, mask_zero=True)(tokens)
    model = keras.Model(tokens, keras.layers.Dense(classes, dtype=policy)(hidden))
    loss = SmoothedCE("per-example", from_logits=True, ignore_class=-100)
    metrics = [m(from_logits=True, ignore_class=-100) for m in (Accuracy, NegativeLogLikelihood)]
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=metrics)
    z = ops.convert_to_numpy(ops.cast(model(x), "float32")).astype("float64")
    log_p = log_softmax(z)
    counted = (x != 0) & (y != -100)
    at = np.take_along_axis(log_p, np.maximum(y, 0)[..., None], -1)[..., 0]
    each = np.where(counted, -(1 - rates) * at - rates * log_p.mean(-1), 0) * weights
    by_batch = [each[i : i + 4].sum() / counted[i : i + 4].sum() for i in (0, 4, 8)]
    source = fed(kind, x, with_alpha(y, rates), weights)
    found = model.fit(**source, shuffle=False, verbose=0).history
    tolerance = 1e-4 if policy == "float32" else 1e-2
    assert found["loss"][0] == pytest.approx(np.mean(by_batch), rel=tolerance)
    assert found["nll"][0] == pytest.approx(-at[counted].mean(), rel=tolerance)


def test_two_classes_are_no_packed_labels():
    y, z = np.array([0, 1, 1]), np.float32([[1, 0], [0, 2], [3, 0]])
    packed = with_alpha(y, np.array([0.1, 0.2, 0.0]))
    for metric in (Accuracy, NegativeLogLikelihood):
        one, other = metric(from_logits=True), metric(from_logits=True)
        one.update_state(y, z)
        other.update_state(packed, z)
        assert float(one.result()) == float(other.result())
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", SmoothedCE("per-example", from_logits=True))
    assert np.isfinite(model.fit(z, packed, verbose=0).history["loss"]).all()


def test_labels_with_a_last_axis_of_1_are_labels():
    y, z = np.array([0, 1, 1]), np.float32([[1, 0, 2], [0, 2, 1], [3, 0, 0]])
    rates = np.array([0.1, 0.2, 0.0])
    loss = SmoothedCE("per-example", from_logits=True)
    found = loss(with_alpha(y[:, None], rates), z)
    assert float(found) == float(loss(with_alpha(y, rates), z))

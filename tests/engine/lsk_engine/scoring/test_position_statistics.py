import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from ls_keras import SmoothedCE
from lsk_engine.data.batches import BatchSource
from lsk_engine.scoring.position_statistics import Predictions, Scorer
from lsk_engine.tasks.contract import Examples


class Sequences(Examples):
    """Random sequences of unequal length with random features; label −1 is padding."""

    def __init__(self, n=23, num_classes=5):
        rng = np.random.default_rng(1)
        self.sizes = rng.integers(1, 7, n)
        self.x = rng.normal(size=(n, 6, 3)).astype("float32")
        self.y = rng.integers(0, num_classes, (n, 6))

    def __len__(self):
        return len(self.sizes)

    def gather(self, rows, size):
        inside = np.arange(size)[None, :] < self.sizes[rows][:, None]
        labels = np.where(inside, self.y[rows, :size], -1)
        return {"x": self.x[rows, :size]}, labels

    def label_counts(self):
        return self.sizes


@pytest.fixture(scope="module")
def model():
    x = keras.Input((None, 3), name="x")
    return keras.Model({"x": x}, keras.layers.Dense(5, name="logits")(x))


def predictions_of(model, boundaries=(3, 6), batch_size=4, alpha=0.1):
    source = BatchSource(
        Sequences(), batch_size, ignore_class=-1, boundaries=boundaries, whole_split=True
    )
    loss = SmoothedCE(alpha, from_logits=True, ignore_class=-1)
    return Scorer(model, loss, -1, label_rank=1).predict(source)


def flat_reference(model):
    """Labels, probabilities and owners of all positions, in NumPy."""
    data = Sequences()
    labels = np.concatenate([data.y[i, : data.sizes[i]] for i in range(len(data))])
    inputs = np.concatenate([data.x[i, : data.sizes[i]] for i in range(len(data))])
    kernel, bias = model.get_layer("logits").get_weights()
    z = (inputs @ kernel + bias).astype(float)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return labels, p, np.repeat(np.arange(len(data)), data.sizes)


def test_means_equal_those_of_scikit_learn_and_numpy(model):
    labels, p, owners = flat_reference(model)
    found = predictions_of(model)
    metrics = found.metrics()
    one_hot = np.eye(5)[labels]
    nll = log_loss(labels, p, labels=range(5))
    smoothed = 0.9 * one_hot + 0.1 / 5
    assert metrics["nll"] == pytest.approx(nll, rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(np.exp(nll), rel=1e-5)
    assert metrics["accuracy"] == pytest.approx((p.argmax(1) == labels).mean(), rel=1e-6)
    assert metrics["brier"] == pytest.approx(((p - one_hot) ** 2).sum(1).mean(), rel=1e-5)
    assert metrics["loss"] == pytest.approx(-(smoothed * np.log(p)).sum(1).mean(), rel=1e-5)
    np.testing.assert_array_equal(found.ids, owners)
    np.testing.assert_allclose(found.columns["confidence"], p.max(1), rtol=1e-5)


def test_statistics_do_not_depend_on_the_batches(model):
    whole = predictions_of(model, boundaries=(6,), batch_size=23)
    for boundaries, batch_size in (((3, 6), 4), ((1, 2, 6), 7)):
        cut = predictions_of(model, boundaries, batch_size)
        for name, column in whole.columns.items():
            np.testing.assert_allclose(cut.columns[name], column, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(cut.ids, whole.ids)


def test_the_curve_counts_every_position_and_groups_by_example(model):
    found = predictions_of(model)
    curve = found.curve()
    assert curve.examples == Sequences().sizes.sum()
    assert curve.groups == len(Sequences())
    assert found.metrics()["ece"] == curve.ece


def test_statistics_round_trip_through_a_file(model, tmp_path):
    found = predictions_of(model)
    (tmp_path / "statistics.npz").write_bytes(found.to_bytes())
    again = Predictions.load(tmp_path / "statistics.npz")
    assert again.metrics() == found.metrics()

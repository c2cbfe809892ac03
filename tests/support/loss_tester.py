"""One set of properties for every loss: a table gives a row, the row its targets in NumPy."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from copies import NEW, WHOLE, same_config
from gradient import gradient
from masked import masked

B, T, K = 3, 6, 7
IGNORED = 3


class Row(NamedTuple):
    """A loss.

    Attributes:
        make: Makes it of `alpha`, and options of the loss.
        q: What the mass alpha follows, `(B, T, K)`, of labels `(B, T)` and which of them count.
    """

    make: Callable[..., keras.losses.Loss]
    q: Callable[[np.ndarray, np.ndarray], np.ndarray]


def batch():
    rng = np.random.default_rng(0)
    z = (3 * rng.standard_normal((B, T, K))).astype("float32")
    return rng.integers(0, K, (B, T)), z, rng.random((B, T)).astype("float32") + 0.1


def reference(row, alpha, labels, z, counted=None):
    """Returns −Σ_k y_k log softmax(z)_k and its gradient, in float64; 0 where nothing counts."""
    counted = np.ones(labels.shape, bool) if counted is None else counted
    targets = (1 - alpha) * np.eye(z.shape[-1])[labels] + alpha * row.q(labels, counted)
    z = np.asarray(z, "float64")
    log_p = z - np.logaddexp.reduce(z, axis=-1, keepdims=True)
    slopes = np.exp(log_p) - targets
    return np.where(counted, -(targets * log_p).sum(-1), 0), slopes * counted[..., None]


def value(loss, *arguments) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(loss(*arguments), "float32"))


class LossTester:
    """The tests; a subclass comes with a fixture `row` that goes through the table."""

    @pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
    def test_reference_in_value_and_gradient(self, row, alpha):
        labels, z, weights = batch()
        values, slopes = reference(row, alpha, labels, z)
        loss = row.make(alpha, reduction=None)
        for y_true in (labels, labels[..., None]):
            np.testing.assert_allclose(value(loss, y_true, z), values, rtol=2e-5)
        total = row.make(alpha, reduction="sum")
        dz = gradient(lambda z: total(labels, z, weights), z)
        np.testing.assert_allclose(dz, slopes * weights[..., None], atol=2e-6)

    def test_many_batches_are_one(self, row):
        labels, z, weights = batch()
        loss = row.make(0.3, reduction="sum")
        parts = [value(loss, labels[[i]], z[[i]], weights[[i]]) for i in range(B)]
        np.testing.assert_allclose(sum(parts), value(loss, labels, z, weights), rtol=1e-5)

    def test_logits_and_their_probabilities_agree(self, row):
        labels, z, _ = batch()
        p = ops.convert_to_numpy(ops.softmax(z))
        expected = value(row.make(0.3), labels, z)
        np.testing.assert_allclose(
            value(row.make(0.3, from_logits=False), labels, p), expected, rtol=1e-5
        )

    def test_masked_ignored_and_weightless_positions_do_not_count(self, row):
        labels, z, weights = batch()
        counted = labels != IGNORED
        counted[0, 2:4] = False
        expected, slopes = reference(row, 0.3, labels, z, counted)
        dirty = np.where((labels == IGNORED)[..., None], np.nan, z)
        loss = row.make(0.3, ignore_class=IGNORED)
        keep = counted | (labels == IGNORED)
        for given in (None, weights):
            mean = (expected * (1 if given is None else given)).sum() / counted.sum()
            found = value(loss, labels, masked(dirty, keep), given)
            np.testing.assert_allclose(found, mean, rtol=1e-5)
        total = row.make(0.3, ignore_class=IGNORED, reduction="sum")
        weights *= counted
        found = value(total, labels, dirty, weights)
        np.testing.assert_allclose(found, (expected * weights).sum(), rtol=1e-5)
        dz = gradient(lambda z: total(labels, z, weights), dirty)
        np.testing.assert_allclose(dz, slopes * weights[..., None], atol=2e-6)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_16_bits(self, row, dtype):
        labels, z, weights = batch()
        exact = value(row.make(0.3), labels, z, weights)
        half = ops.cast(z, dtype)
        np.testing.assert_allclose(value(row.make(0.3), labels, half, weights), exact, rtol=1e-2)
        found = row.make(0.3, dtype=dtype)(labels, half, weights)
        assert keras.backend.standardize_dtype(found.dtype) == dtype
        np.testing.assert_allclose(float(found), exact, rtol=1e-2)

    @pytest.mark.parametrize("how", WHOLE | NEW)
    def test_a_copy_is_the_same(self, row, how):
        labels, z, weights = batch()
        options = {"ignore_class": (1, 2), "axis": 2, "dtype": "float16", "name": "mine"}
        loss = row.make(0.3, reduction="sum", **options)
        again = (WHOLE | NEW)[how](loss)
        assert type(again) is type(loss)
        assert same_config(again, loss)
        assert value(again, labels, z, weights) == value(loss, labels, z, weights)

    def test_save_and_load(self, row, tmp_path):
        labels, z, weights = batch()
        model = keras.Sequential([keras.Input((T, K)), keras.layers.Dense(K)])
        model.compile("sgd", row.make(0.3, ignore_class=IGNORED), run_eagerly=True)
        expected = model.evaluate(z, labels, sample_weight=weights, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert same_config(loaded.loss, model.loss)
        found = loaded.evaluate(z, labels, sample_weight=weights, verbose=0)
        assert found == pytest.approx(expected, rel=1e-6)

    @pytest.mark.slow
    def test_compiled(self, row, traced):
        labels, z, weights = batch()
        loss = row.make(0.3, ignore_class=IGNORED)
        np.testing.assert_allclose(
            traced(loss, labels, z, weights), value(loss, labels, z, weights), rtol=1e-5
        )

    @pytest.mark.tensorflow
    def test_replicas_add_up(self, row):
        import tensorflow as tf

        labels, z, weights = (array[:2] for array in batch())
        loss = row.make(0.3, ignore_class=IGNORED, reduction="sum")
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

        def part(array):
            return strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(array[[context.replica_id_in_sync_group]])
            )

        losses = tf.function(functools.partial(strategy.run, loss))(
            (part(labels), part(z), part(weights))
        )
        total = sum(float(one) for one in strategy.experimental_local_results(losses))
        assert total == pytest.approx(float(value(loss, labels, z, weights)), rel=1e-5)

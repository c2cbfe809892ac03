"""One set of properties for every loss: a table gives a row, the row a reference in NumPy."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from copies import NEW, WHOLE, same_config
from gradient import gradient
from ls_base.errors import InputError
from masked import masked
from tracing import warns_in_graph

B, T, K = 3, 6, 7
IGNORED = 3


class Row(NamedTuple):
    """A loss.

    Attributes:
        make: Makes it of a strength (0: plain cross-entropy), and options of the loss.
        values: The losses `(B, T)` in float64, of a strength, labels `(B, T)`, logits
            `(B, T, K)` and which positions count.
        dense: Whether dense targets, and labels `(N,)` without sequences, are accepted.
    """

    make: Callable[..., keras.losses.Loss]
    values: Callable[[float, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    dense: bool = True


def batch():
    rng = np.random.default_rng(0)
    z = (3 * rng.standard_normal((B, T, K))).astype("float32")
    return rng.integers(0, K, (B, T)), z, rng.random((B, T)).astype("float32") + 0.1


def log_softmax(z) -> np.ndarray:
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def reference(row, strength, labels, z, counted=None):
    """Returns losses and their slopes by finite differences, in float64; 0 where nothing counts."""
    counted = np.ones(labels.shape, bool) if counted is None else counted
    z = np.where(counted[..., None], np.asarray(z, "float64"), 0)

    def values(z):
        return np.where(counted, row.values(strength, labels, z, counted), 0)

    steps = 1e-6 * np.eye(z.shape[-1])
    slopes = [(values(z + step) - values(z - step)) / 2e-6 for step in steps]
    return values(z), np.stack(slopes, axis=-1)


def value(loss, *arguments) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(loss(*arguments), "float32"))


class LossTester:
    """The tests; a subclass comes with a fixture `row` that goes through the table."""

    @pytest.mark.parametrize("strength", [0.0, 0.1, 1.0])
    def test_reference_in_value_and_gradient(self, row, strength):
        labels, z, weights = batch()
        values, slopes = reference(row, strength, labels, z)
        loss = row.make(strength, reduction=None)
        for y_true in (labels, labels[..., None]):
            np.testing.assert_allclose(value(loss, y_true, z), values, rtol=2e-5)
        total = row.make(strength, reduction="sum")
        dz = gradient(lambda z: total(labels, z, weights), z)
        np.testing.assert_allclose(dz, slopes * weights[..., None], atol=2e-6)

    @pytest.mark.parametrize("from_logits", [True, False])
    def test_one_hot_targets_are_labels_or_refused(self, row, from_logits):
        labels, z, _ = batch()
        y_pred = z if from_logits else ops.convert_to_numpy(ops.softmax(z))
        loss = row.make(0.3, from_logits=from_logits, reduction="sum")
        one_hot = np.eye(K, dtype="float32")[labels]
        if not row.dense:
            with pytest.raises(InputError, match="Received: dense targets"):
                loss(one_hot, y_pred)
            return
        np.testing.assert_allclose(
            value(loss, one_hot, y_pred), value(loss, labels, y_pred), rtol=1e-5
        )
        slopes = gradient(lambda y_pred: loss(labels, y_pred), y_pred)
        dense_slopes = gradient(lambda y_pred: loss(one_hot, y_pred), y_pred)
        np.testing.assert_allclose(dense_slopes, slopes, rtol=1e-4, atol=1e-5)

    def test_classes_on_another_axis(self, row):
        labels, z, weights = batch()
        expected = value(row.make(0.3), labels, z, weights)
        found = value(row.make(0.3, axis=1), labels, np.moveaxis(z, -1, 1), weights)
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_labels_out_of_range_raise_or_make_their_loss_nan(self, row, traced):
        labels, z, _ = batch()
        labels[1, :3] = K, -1, -100
        loss = row.make(0.3, ignore_class=-100, reduction=None)
        with pytest.raises(InputError, match="2 labels out of range"):
            loss(labels, z)
        with warns_in_graph(traced, "2 labels out of range"):
            found = traced(loss, labels, z)
        assert np.argwhere(np.isnan(found)).tolist() == [[1, 0], [1, 1]]
        assert found[1, 2] == 0

    def test_logits_without_from_logits_are_told(self, row):
        labels, z, _ = batch()
        with pytest.raises(InputError, match="from_logits=True"):
            row.make(0.3, from_logits=False)(labels, z)

    @pytest.mark.parametrize("from_logits", [True, False])
    @pytest.mark.parametrize("shape", [(B, 0), (0, 2), (0,)], ids=str)
    def test_an_empty_batch_has_a_scalar_loss_of_zero_and_a_gradient(self, row, shape, from_logits):
        if len(shape) == 1 and not row.dense:
            pytest.skip("needs sequences")
        labels, z = np.zeros(shape, "int32"), np.zeros((*shape, K), "float32")
        loss = row.make(0.3, from_logits=from_logits)
        found = loss(labels, z)
        assert tuple(found.shape) == ()
        assert float(found) == 0
        assert gradient(lambda z: loss(labels, z), z).shape == z.shape

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

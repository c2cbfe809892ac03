"""Tests that every layer and model must pass, given a row with a reference in NumPy."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from copies import WHOLE
from ls_keras.backend.keras_internals import layers_within
from ls_keras.backend.tensors import mask_of
from tracing import run_traced

CLASSES, FEATURES = 7, 4
TOKENS = np.array([[1, 2, 0, 6], [3, 3, 5, 0], [4, 0, 0, 2]])  # 0 is masked


class Row(NamedTuple):
    """A layer, or a model, that ends a model of tokens.

    Attributes:
        model: Builds a model of tokens `(batch, time)`, whose first weight is that of an embedding
            `(CLASSES, FEATURES)`.
        layer: The class under test.
        reference: Expected output, from the embedded tokens and the model's weights, in float64.
        dtype: Dtype of the output under mixed precision; `None` for that of the policy.
        saves_another: Whether saving stores another model with the same output.
        weights: Turns random weights, in the model's order, into valid weights of the layer.
    """

    model: Callable[[], keras.Model]
    layer: type
    reference: Callable[..., np.ndarray]
    dtype: str | None = "float32"
    saves_another: bool = False
    weights: Callable[[list[np.ndarray]], list[np.ndarray]] = list


def embedding():
    return keras.layers.Embedding(CLASSES, FEATURES, mask_zero=True, name="embedding")


def tokens():
    return keras.Input((None,), dtype="int32")


def built(row):
    """Returns the row's model with random weights."""
    model = row.model()
    model(TOKENS)
    rng = np.random.default_rng(0)
    model.set_weights(row.weights([rng.normal(size=w.shape) for w in model.get_weights()]))
    return model


def outputs(model, x=TOKENS) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(model(x), "float32"))


def expected(row, model) -> np.ndarray:
    rows, *others = (weights.astype(float) for weights in model.get_weights())
    return row.reference(rows[TOKENS], rows, *others)


def reloaded(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


def recloned(model, copy):
    """Returns a clone with the weights of the model."""
    copied = copy(model)
    copied(TOKENS)
    copied.set_weights(model.get_weights())
    return copied


NEW = {
    "clone_model": keras.models.clone_model,
    "from_config": lambda model: type(model).from_config(model.get_config()),
    "json": lambda model: keras.models.model_from_json(model.to_json()),
}


class LayerTester:
    """The tests; a subclass needs a fixture `row` with the rows of the table."""

    def test_output_equals_the_reference(self, row):
        model = built(row)
        np.testing.assert_allclose(outputs(model), expected(row, model), rtol=1e-5, atol=1e-6)
        assert any(type(part) is row.layer for part in layers_within(model))

    def test_batches_do_not_change_the_output(self, row):
        model = built(row)
        parts = [outputs(model, TOKENS[[i]]) for i in range(len(TOKENS))]
        np.testing.assert_allclose(np.concatenate(parts), outputs(model), rtol=1e-5, atol=1e-6)

    def test_masks_are_passed_on(self, row):
        mask = mask_of(built(row)(TOKENS))
        np.testing.assert_array_equal(ops.convert_to_numpy(mask), TOKENS != 0)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_mixed_precision_is_close(self, row, dtype):
        exact, before = built(row), keras.config.dtype_policy()
        keras.config.set_dtype_policy(f"mixed_{dtype}")
        try:
            half = built(row)
            half.set_weights(exact.get_weights())
            found = half(TOKENS)
        finally:
            keras.config.set_dtype_policy(before)
        assert keras.backend.standardize_dtype(found.dtype) == (row.dtype or dtype)
        np.testing.assert_allclose(outputs(half), outputs(exact), rtol=3e-2, atol=5e-2)

    @pytest.mark.parametrize("how", WHOLE)
    def test_a_copy_keeps_the_weights(self, row, how):
        model = built(row)
        copied = WHOLE[how](model)
        assert type(copied) is type(model)
        np.testing.assert_allclose(outputs(copied), outputs(model), rtol=1e-6)

    @pytest.mark.parametrize("how", NEW)
    def test_a_clone_accepts_the_weights(self, row, how):
        model = built(row)
        copied = recloned(model, NEW[how])
        assert type(copied) is type(model)
        assert len(copied.variables) == len(model.variables)
        np.testing.assert_allclose(outputs(copied), outputs(model), rtol=1e-6)

    def test_save_and_load(self, row, tmp_path):
        model = built(row)
        loaded = reloaded(model, tmp_path)
        assert (type(loaded) is type(model)) != row.saves_another
        np.testing.assert_allclose(outputs(loaded), outputs(model), rtol=1e-6)

    def test_traced_and_symbolic_calls_agree(self, row):
        model = built(row)
        found = run_traced(lambda x: ops.cast(model(x), "float32"), TOKENS)
        np.testing.assert_allclose(found, outputs(model), rtol=1e-5, atol=1e-6)
        symbolic = model(keras.Input(batch_shape=TOKENS.shape, dtype="int32"))
        assert symbolic.shape == found.shape

    @pytest.mark.tensorflow
    def test_replicas_agree_with_one_device(self, row):
        import tensorflow as tf

        single = built(row)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            model = built(row)
            model.set_weights(single.get_weights())
        parts = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(TOKENS[[context.replica_id_in_sync_group]])
        )
        found = strategy.experimental_local_results(
            tf.function(lambda x: strategy.run(model, (x,)))(parts)
        )
        np.testing.assert_allclose(
            np.concatenate(found), outputs(single, TOKENS[:2]), rtol=1e-5, atol=1e-6
        )

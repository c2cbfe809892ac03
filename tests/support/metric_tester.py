"""One set of properties for every metric: a table gives a row, the row a reference in NumPy."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from copies import NEW, WHOLE, same_config
from ls_base.errors import InputError
from ls_keras.losses import SmoothedCE
from masked import masked

K = 5
NEGATIVE = np.float32([1.0, -0.5])


class Row(NamedTuple):
    """A metric.

    Attributes:
        make: Makes it of options that all metrics have.
        reference: Its value of labels `(N,)`, probabilities `(N, K)` and weights `(N,)`.
        within: How far it may be from that, absolutely.
    """

    make: Callable[..., keras.metrics.Metric]
    reference: Callable[[np.ndarray, np.ndarray, np.ndarray], float]
    within: float = 1e-5


def examples(rng, shape=(120,), num_classes=K):
    y_pred = rng.normal(size=(*shape, num_classes)).astype("float32") * 2
    return rng.integers(0, num_classes, shape).astype("int32"), y_pred


def softmax(z) -> np.ndarray:
    p = np.exp(z - z.max(-1, keepdims=True), dtype=float)
    return p / p.sum(-1, keepdims=True)


def value(metric, *batches) -> float:
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


def made(rows, prefix):
    return [
        row.make(from_logits=True, name=f"{prefix}-{name}", dtype="float32")
        for name, row in rows.items()
    ]


class MetricTester:
    """The tests; a subclass comes with fixtures: `rows`, the table, and `row`, each of it."""

    def test_reference(self, row, rng):
        y_true, z = examples(rng)
        p, ones = softmax(z), np.ones(len(z))
        weights = rng.random(len(z)).astype("float32") * (rng.random(len(z)) < 0.8)
        expected = pytest.approx(row.reference(y_true, p, ones), abs=row.within)
        for given in (y_true, y_true[:, None], np.eye(K, dtype="float32")[y_true]):
            assert value(row.make(from_logits=True), (given, z)) == expected
        for y_pred in (p.astype("float32"), ops.array(p, "float32")):
            assert value(row.make(from_logits=False), (y_true, y_pred)) == expected
        expected = pytest.approx(row.reference(y_true, p, weights), abs=row.within)
        assert value(row.make(from_logits=True), (y_true, z, weights)) == expected

    def test_many_batches_are_one(self, row, rng):
        y_true, y_pred = examples(rng)
        whole = value(row.make(from_logits=True), (y_true, y_pred))
        # Few different shapes: JAX compiles each operation for each of them.
        cuts = [(y_true[i : i + 40], y_pred[i : i + 40]) for i in (0, 40, 80)]
        assert value(row.make(from_logits=True), *cuts) == pytest.approx(whole, rel=2e-5)

    def test_masked_ignored_and_weightless_positions_do_not_count(self, row, rng):
        y_true, y_pred = examples(rng, (6, 8))
        keep = rng.random((6, 8)) < 0.6
        expected = value(row.make(from_logits=True), (y_true[keep], y_pred[keep]))
        dirty = np.where(keep[..., None], y_pred, np.nan)

        weighted = value(row.make(from_logits=True), (y_true, dirty, keep.astype("float32")))
        assert weighted == pytest.approx(expected, rel=2e-5)
        ignored = np.where(keep, y_true, np.where(np.arange(8) % 2 == 0, -1, 77))
        metric = row.make(from_logits=True, ignore_class=(-1, 77))
        assert value(metric, (ignored, dirty)) == pytest.approx(expected, rel=2e-5)
        batch = (y_true, masked(dirty, keep))
        assert value(row.make(from_logits=True), batch) == pytest.approx(expected, rel=2e-5)

    def test_no_example_gives_nan_not_a_perfect_score(self, row):
        metric = row.make(from_logits=True, ignore_class=0)
        assert np.isnan(value(metric, ([0, 0], [[1.0, 2.0], [3.0, 1.0]])))
        assert np.isnan(float(row.make(from_logits=True).result()))

    def test_reset_forgets(self, row, rng):
        y_true, y_pred = examples(rng)
        metric = row.make(from_logits=True)
        value(metric, (y_true[:40], y_pred[:40]))
        metric.reset_state()
        expected = value(row.make(from_logits=True), (y_true[40:80], y_pred[40:80]))
        found = value(metric, (y_true[40:80], y_pred[40:80]))
        assert found == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_16_bits_and_large_ids(self, row, rng, dtype):
        y_true = np.array([3000, 4097, 4999], "int32")
        y_pred = ops.cast(ops.array(rng.normal(size=(3, 5000)).astype("float32")), dtype)
        exact = value(row.make(from_logits=True), (y_true, ops.cast(y_pred, "float32")))
        # The ECE reads float32 on the host and bfloat16 in the backend, which add in other orders.
        found = value(row.make(from_logits=True), (y_true, y_pred))
        assert found == pytest.approx(exact, rel=1e-6)
        metric = row.make(from_logits=True, dtype=dtype)
        assert value(metric, (y_true, y_pred)) == pytest.approx(exact, rel=1e-2)
        assert keras.backend.standardize_dtype(metric.result().dtype) == dtype

    @pytest.mark.parametrize("how", WHOLE | NEW)
    def test_a_copy_is_the_same(self, row, rng, how):
        y_true, y_pred = examples(rng)
        options = {"ignore_class": (2, 3), "dtype": "float32", "name": "mine"}
        metric = row.make(from_logits=True, **options)
        new = (WHOLE | NEW)[how](metric)
        assert type(new) is type(metric)
        assert same_config(new, metric)
        first, second = ((y_true[i : i + 40], y_pred[i : i + 40]) for i in (0, 40))
        value(metric, first)
        used = (WHOLE | NEW)[how](metric)
        both = value(metric, second)
        assert value(new, first, second) == both
        if how in WHOLE:
            assert value(used, second) == both

    def test_wrong_input_is_refused(self, row):
        with pytest.raises(InputError, match="from_logits=True"):
            row.make(from_logits=False).update_state([0], [[3.0, 4.0]])
        with pytest.raises(InputError, match="NaN"):
            row.make(from_logits=True).update_state([0], [[np.nan, 4.0]])
        with pytest.raises(InputError, match="K ≥ 2"):
            row.make(from_logits=True).update_state([0], [[1.0]])
        with pytest.raises(InputError, match="ignore_class"):
            row.make(ignore_class="pad")

    def test_negative_weights_are_refused(self, row):
        p = np.float32([[0.75, 0.25], [0.5, 0.5]])
        message = "Expected sample weights that are finite and not negative. Received: -0.5"
        for y_pred in (p, ops.convert_to_tensor(p)):
            with pytest.raises(InputError, match=message):
                row.make().update_state([0, 1], y_pred, sample_weight=NEGATIVE)

    def test_negative_weights_poison_a_compiled_metric(self, row):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
        model.compile(loss=SmoothedCE(), weighted_metrics=[row.make()])
        p = np.float32([[0.75, 0.25], [0.5, 0.5]])
        if keras.config.backend() == "torch":  # never compiled
            with pytest.raises(InputError, match="not negative"):
                model.evaluate(p, np.array([0, 1]), sample_weight=NEGATIVE, verbose=0)
            return
        with pytest.warns(UserWarning, match="NaN"):
            found = model.evaluate(p, np.array([0, 1]), sample_weight=NEGATIVE, verbose=0)
        assert np.isnan(found[-1])

    def test_labels_out_of_range_give_nan_where_they_count(self, row, traced, rng):
        y_true, y_pred = examples(rng, (6,))
        y_true[2] = 7
        metric = row.make(from_logits=True, ignore_class=-3)
        if hasattr(metric, "build"):
            metric.build(K)  # classwise: as Keras does with a first batch, before it compiles

        def score(y_true, y_pred, weight):
            state = metric.stateless_update_state(metric.variables, y_true, y_pred, weight)
            return metric.stateless_result(state)

        weight = np.ones(6, "float32")
        assert np.isnan(traced(score, y_true, y_pred, weight))
        weight[2] = 0
        assert np.isfinite(traced(score, y_true, y_pred, weight))

    def test_logits_without_from_logits_give_nan_and_one_warning_in_fit(self, row, rng):
        x = rng.normal(size=(32, 6)).astype("float32") * 9
        y = rng.integers(0, K, 32)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(K)])
        compiled = keras.config.backend() == "jax"  # whose steps run eagerly otherwise
        metric = row.make(from_logits=False, name="mine")
        model.compile("sgd", SmoothedCE(from_logits=True), metrics=[metric], jit_compile=compiled)
        if keras.config.backend() == "torch":  # which never compiles, so an error is raised
            with pytest.raises(InputError, match="from_logits=True"):
                model.fit(x, y, batch_size=16, verbose=0)
            return
        with pytest.warns(UserWarning, match="mine is NaN.*from_logits=True") as warned:
            history = model.fit(x, y, batch_size=16, epochs=3, verbose=0)
        assert np.isnan(history.history["mine"]).all()
        assert sum(w.category is UserWarning for w in warned) == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_fit_and_evaluate_agree_with_eager_use(self, rows, rng, jit_compile):
        # One model for all of them: a compilation by XLA takes seconds.
        tokens = rng.integers(0, 9, (32, 6)).astype("int32")
        labels = rng.integers(0, K, (32, 6)).astype("int32")
        weight = rng.random((32, 6)).astype("float32")
        inputs = keras.Input((6,), dtype="int32")
        spread = keras.initializers.RandomNormal(stddev=30)  # or all predictions are near uniform
        x = keras.layers.Embedding(9, 8, mask_zero=True)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(K, kernel_initializer=spread)(x))
        model.compile(
            "sgd",
            # Of Keras's own losses, masked ones scale sample_weight in place on PyTorch, by
            # another factor for each batch, before the metrics see it.
            SmoothedCE(from_logits=True),
            metrics=made(rows, "plain"),
            weighted_metrics=made(rows, "weighted"),
            jit_compile=jit_compile and keras.backend.backend() != "torch",
        )
        model.fit(tokens, labels, sample_weight=weight, batch_size=16, verbose=0)
        scores = model.evaluate(
            tokens, labels, sample_weight=weight, batch_size=16, verbose=0, return_dict=True
        )
        logits = ops.convert_to_numpy(model(tokens))
        keep = tokens != 0
        for name, row in rows.items():
            expected = value(row.make(from_logits=True), (labels[keep], logits[keep]))
            assert scores[f"plain-{name}"] == pytest.approx(expected, rel=1e-4), name
            expected = value(row.make(from_logits=True), (labels[keep], logits[keep], weight[keep]))
            assert scores[f"weighted-{name}"] == pytest.approx(expected, rel=1e-4), name

    def test_save_and_load(self, rows, rng, tmp_path):
        y, x = examples(rng)
        model = keras.Sequential([keras.Input((K,)), keras.layers.Dense(K)])
        loss, metrics = SmoothedCE(from_logits=True), made(rows, "saved")
        model.compile("sgd", loss, metrics=metrics, run_eagerly=True)
        expected = model.evaluate(x, y, len(x), verbose=0, return_dict=True)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        found = loaded.evaluate(x, y, len(x), verbose=0, return_dict=True)
        assert len(found) == len(rows) + 1
        assert found == pytest.approx(expected, rel=1e-6)

    @pytest.mark.slow
    @pytest.mark.tensorflow
    def test_two_replicas_agree_with_one_device(self, rows, rng):
        import tensorflow as tf

        x = rng.normal(size=(48, 8)).astype("float32")
        y = rng.integers(0, K, 48).astype("int32")

        def evaluate(strategy):
            keras.utils.set_random_seed(1)
            with strategy.scope():
                inputs = keras.Input((8,))
                model = keras.Model(inputs, keras.layers.Dense(K)(inputs))
                model.compile(
                    "sgd",
                    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                    metrics=made(rows, "metric"),
                )
            return model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)

        mirrored = evaluate(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
        single = evaluate(tf.distribute.OneDeviceStrategy("CPU:0"))
        assert len(single) == len(rows) + 1
        assert mirrored == pytest.approx(single, rel=1e-5)

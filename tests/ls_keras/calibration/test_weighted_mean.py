"""One table of metrics, one set of properties that each of them has."""

import json

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import (
    Accuracy,
    BrierScore,
    ExpectedCalibrationError,
    NegativeLogLikelihood,
    Perplexity,
    exact_sum,
)
from ls_keras.losses import SmoothedCE
from masked import masked

METRICS = {
    "nll": lambda **options: NegativeLogLikelihood(**options),
    "perplexity": lambda **options: Perplexity(**options),
    "brier": lambda **options: BrierScore(**options),
    "accuracy": lambda **options: Accuracy(**options),
    "ece": lambda **options: ExpectedCalibrationError(7, **options),
    "ece-classwise": lambda **options: ExpectedCalibrationError(7, classwise=True, **options),
    "ece-debiased": lambda **options: ExpectedCalibrationError(
        7, norm="l2", debias=True, **options
    ),
    "ece-equal-mass": lambda **options: ExpectedCalibrationError(
        7, binning="equal_mass", **options
    ),
}


@pytest.fixture(params=METRICS)
def build(request):
    return METRICS[request.param]


def examples(rng, shape=(120,), num_classes=5):
    y_pred = rng.normal(size=(*shape, num_classes)).astype("float32") * 2
    return rng.integers(0, num_classes, shape).astype("int32"), y_pred


def value(metric, *batches):
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


def test_independent_of_how_the_data_are_cut(build, rng):
    y_true, y_pred = examples(rng)
    whole = value(build(from_logits=True), (y_true, y_pred))
    # Few different shapes: JAX compiles each operation for each of them.
    cuts = [(y_true[i : i + 40], y_pred[i : i + 40]) for i in (0, 40, 80)]
    assert value(build(from_logits=True), *cuts) == pytest.approx(whole, rel=2e-5)


def test_logits_and_their_probabilities_agree(build, rng):
    y_true, y_pred = examples(rng)
    p = ops.softmax(ops.array(y_pred))
    expected = value(build(from_logits=True), (y_true, y_pred))
    assert value(build(from_logits=False), (y_true, p)) == pytest.approx(expected, rel=2e-5)


def test_integer_column_and_one_hot_targets_agree(build, rng):
    y_true, y_pred = examples(rng)
    expected = value(build(from_logits=True), (y_true, y_pred))
    for other in (y_true[:, None], np.eye(5, dtype="float32")[y_true]):
        assert value(build(from_logits=True), (other, y_pred)) == pytest.approx(expected, rel=2e-5)


def test_ignored_masked_and_weightless_positions_do_not_count(build, rng):
    y_true, y_pred = examples(rng, (6, 8))
    keep = rng.random((6, 8)) < 0.6
    expected = value(build(from_logits=True), (y_true[keep], y_pred[keep]))
    dirty = np.where(keep[..., None], y_pred, np.nan)

    weighted = value(build(from_logits=True), (y_true, dirty, keep.astype("float32")))
    assert weighted == pytest.approx(expected, rel=2e-5)
    ignored = np.where(keep, y_true, np.where(np.arange(8) % 2 == 0, -1, 77))
    metric = build(from_logits=True, ignore_class=(-1, 77))
    assert value(metric, (ignored, dirty)) == pytest.approx(expected, rel=2e-5)
    batch = (y_true, masked(dirty, keep))
    assert value(build(from_logits=True), batch) == pytest.approx(expected, rel=2e-5)


# Not the debiased estimate: copies are no new evidence, it counts effective examples.
@pytest.mark.parametrize("name", sorted(set(METRICS) - {"ece-debiased"}))
def test_a_whole_weight_counts_as_that_many_copies(name, rng):
    build = METRICS[name]
    y_true, y_pred = examples(rng)
    weight = rng.integers(0, 4, 120)
    expected = value(build(from_logits=True), (y_true.repeat(weight), y_pred.repeat(weight, 0)))
    weighted = value(build(from_logits=True), (y_true, y_pred, weight.astype("float32")))
    assert weighted == pytest.approx(expected, rel=2e-5)


def test_no_example_gives_nan_not_a_perfect_score(build):
    metric = build(from_logits=True, ignore_class=0)
    assert np.isnan(value(metric, ([0, 0], [[1.0, 2.0], [3.0, 1.0]])))
    assert np.isnan(float(build(from_logits=True).result()))


def test_reset_forgets(build, rng):
    y_true, y_pred = examples(rng)
    metric = build(from_logits=True)
    value(metric, (y_true[:50], y_pred[:50]))
    metric.reset_state()
    expected = value(build(from_logits=True), (y_true[50:], y_pred[50:]))
    assert value(metric, (y_true[50:], y_pred[50:])) == pytest.approx(expected, rel=1e-6)


def test_config_round_trip_through_json(build, rng):
    y_true, y_pred = examples(rng)
    metric = build(from_logits=True, ignore_class=(2, 3), dtype="float32")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == {**metric.get_config(), "ignore_class": [2, 3]}
    assert value(copy, (y_true, y_pred)) == value(metric, (y_true, y_pred))


def test_half_precision_logits_and_large_label_ids(build, rng):
    y_true = np.array([3000, 4097, 4999], "int32")
    y_pred = ops.cast(ops.array(rng.normal(size=(3, 5000)).astype("float32")), "bfloat16")
    exact = value(build(from_logits=True), (y_true, ops.cast(y_pred, "float32")))
    # The ECE reads float32 on the host and bfloat16 in the backend, which add in other orders.
    assert value(build(from_logits=True), (y_true, y_pred)) == pytest.approx(exact, rel=1e-6)


def test_wrong_input_is_refused(build):
    with pytest.raises(InputError, match="from_logits=True"):
        build(from_logits=False).update_state([0], [[3.0, 4.0]])
    with pytest.raises(InputError, match="NaN"):
        build(from_logits=True).update_state([0], [[np.nan, 4.0]])
    with pytest.raises(InputError, match="K ≥ 2"):
        build(from_logits=True).update_state([0], [[1.0]])
    with pytest.raises(InputError, match="ignore_class"):
        build(ignore_class="pad")


def sequence_model():
    tokens = keras.Input((6,), dtype="int32")
    spread = keras.initializers.RandomNormal(stddev=30)  # or every prediction is nearly uniform
    x = keras.layers.Embedding(9, 8, mask_zero=True)(tokens)
    return keras.Model(tokens, keras.layers.Dense(5, kernel_initializer=spread)(x))


def all_metrics(prefix):
    return [
        build(from_logits=True, name=f"{prefix}-{name}", dtype="float32")
        for name, build in METRICS.items()
    ]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_and_evaluate_agree_with_eager_use(rng, jit_compile):
    # One model for all of them: a compilation by XLA takes seconds.
    tokens = rng.integers(0, 9, (32, 6)).astype("int32")
    labels = rng.integers(0, 5, (32, 6)).astype("int32")
    weight = rng.random((32, 6)).astype("float32")
    model = sequence_model()
    model.compile(
        "sgd",
        # Of Keras's own losses, masked ones scale sample_weight in place on PyTorch, by another
        # factor for each batch, before the metrics see it.
        SmoothedCE(from_logits=True),
        metrics=all_metrics("plain"),
        weighted_metrics=all_metrics("weighted"),
        jit_compile=jit_compile and keras.backend.backend() != "torch",
    )
    model.fit(tokens, labels, sample_weight=weight, batch_size=16, verbose=0)
    scores = model.evaluate(
        tokens, labels, sample_weight=weight, batch_size=16, verbose=0, return_dict=True
    )
    logits = np.asarray(ops.convert_to_numpy(model(tokens)))
    keep = tokens != 0
    for name, build in METRICS.items():
        expected = value(build(from_logits=True), (labels[keep], logits[keep]))
        assert scores[f"plain-{name}"] == pytest.approx(expected, rel=1e-4), name
        expected = value(build(from_logits=True), (labels[keep], logits[keep], weight[keep]))
        assert scores[f"weighted-{name}"] == pytest.approx(expected, rel=1e-4), name


@pytest.mark.tensorflow
def test_two_replicas_agree_with_one_device(rng):
    import tensorflow as tf

    x = rng.normal(size=(48, 8)).astype("float32")
    y = rng.integers(0, 5, 48).astype("int32")

    def evaluate(strategy):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            inputs = keras.Input((8,))
            model = keras.Model(inputs, keras.layers.Dense(5)(inputs))
            model.compile(
                "sgd",
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=all_metrics("metric"),
            )
        return model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)

    mirrored = evaluate(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    single = evaluate(tf.distribute.OneDeviceStrategy("CPU:0"))
    assert len(single) == len(METRICS) + 1
    assert mirrored == pytest.approx(single, rel=1e-5)


def test_counts_stay_exact_past_what_float32_counts():
    metric = Accuracy()
    high = ops.array([16.0, 0.0, 0.0])  # 2^24 examples, all right
    for variable in metric.variables:
        variable.assign(high)
    for _ in range(4):
        metric.update_state([1], [[1.0, 0.0]])
    right, seen = (ops.convert_to_numpy(v).tolist() for v in metric.variables)
    assert (right, seen) == ([16, 0, 0], [16, 4, 0])
    assert float(exact_sum.difference(*(ops.array(w) for w in (seen, right)))) == 4


def test_logits_without_from_logits_give_nan_and_one_warning_in_fit(rng):
    x = rng.normal(size=(32, 6)).astype("float32") * 9
    y = rng.integers(0, 5, 32)
    for name, build in METRICS.items():
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5)])
        metric = build(from_logits=False, name=name)
        compiled = keras.config.backend() == "jax"  # whose steps run eagerly otherwise
        model.compile("sgd", SmoothedCE(from_logits=True), metrics=[metric], jit_compile=compiled)
        if keras.config.backend() == "torch":  # which never compiles: it is told
            with pytest.raises(InputError, match="from_logits=True"):
                model.fit(x, y, batch_size=16, verbose=0)
            continue
        with pytest.warns(UserWarning, match=f"{name} is NaN.*from_logits=True") as warned:
            history = model.fit(x, y, batch_size=16, epochs=3, verbose=0)
        assert np.isnan(history.history[name]).all()
        assert sum(w.category is UserWarning for w in warned) == 1


def test_labels_out_of_range_give_nan_where_they_count(build, traced, rng):
    y_true, y_pred = examples(rng, (6,))
    y_true[2] = 7

    metric = build(from_logits=True, ignore_class=-3)
    if hasattr(metric, "build"):
        metric.build(5)  # classwise: as Keras does with a first batch, before it compiles

    def score(y_true, y_pred, weight):
        state = metric.stateless_update_state(metric.variables, y_true, y_pred, weight)
        return metric.stateless_result(state)

    weight = np.ones(6, "float32")
    assert np.isnan(traced(score, y_true, y_pred, weight))
    weight[2] = 0
    assert np.isfinite(traced(score, y_true, y_pred, weight))


NEGATIVE = np.float32([1.0, -0.5])
OF_TWO = {
    "ece": lambda: ls_keras.ExpectedCalibrationError(),
    "classwise": lambda: ls_keras.ExpectedCalibrationError(classwise=True),
    "brier": ls_keras.BrierScore,
    "nll": ls_keras.NegativeLogLikelihood,
    "accuracy": ls_keras.Accuracy,
}


@pytest.mark.parametrize("name", list(OF_TWO))
def test_negative_weights_are_refused(name):
    metric, p = OF_TWO[name](), np.float32([[0.75, 0.25], [0.5, 0.5]])
    message = "Expected sample weights that are finite and not negative. Received: -0.5"
    for y_pred in (p, keras.ops.convert_to_tensor(p)):
        with pytest.raises(InputError, match=message):
            metric.update_state([0, 1], y_pred, sample_weight=NEGATIVE)
    with pytest.raises(InputError, match=message):
        ls_keras.reliability_curve([0, 1], p, sample_weight=NEGATIVE)
    with pytest.raises(InputError, match=message):
        ls_keras.equivalent_smoothing([0, 1], p, sample_weight=NEGATIVE)


@pytest.mark.parametrize("name", list(OF_TWO))
def test_negative_weights_poison_a_compiled_metric(name):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    model.compile(loss=ls_keras.SmoothedCE(), weighted_metrics=[OF_TWO[name]()])
    p = np.float32([[0.75, 0.25], [0.5, 0.5]])
    if keras.config.backend() == "torch":  # never compiled
        with pytest.raises(InputError, match="not negative"):
            model.evaluate(p, np.array([0, 1]), sample_weight=NEGATIVE, verbose=0)
        return
    with pytest.warns(UserWarning, match="NaN"):
        found = model.evaluate(p, np.array([0, 1]), sample_weight=NEGATIVE, verbose=0)
    assert np.isnan(found[-1])

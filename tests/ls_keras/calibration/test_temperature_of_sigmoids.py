"""Temperatures of sigmoids: fitted, fitted over data sets and while training, put into models."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy import special
from scipy.optimize import minimize_scalar

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import fit_temperature, fit_temperature_dataset, temperature_curve
from ls_keras.callbacks import TemperatureScaling

K = 3


def sample(n=1000, temperature=2.0, num_labels=K, seed=0):
    rng = np.random.default_rng(seed)
    z = (3 * rng.standard_normal((n, num_labels))).astype("float32")
    return (rng.random(z.shape) < special.expit(z / temperature)).astype("int32"), z


def nll(y, z, temperature, weights=None):
    z = np.asarray(z, float) / temperature
    return np.average(np.logaddexp(0, z) - y * z, weights=weights)


def reference(y, z, weights=None):
    """SciPy's bounded Brent search."""
    best = minimize_scalar(
        lambda u: nll(y, z, math.exp(u), weights),
        bounds=(math.log(1e-2), math.log(1e2)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return math.exp(best.x)


def ece(y, z, temperature, **options):
    p = special.expit(z / temperature)
    return ls_keras.expected_calibration_error(y, p, multi_label=True, **options)


@pytest.mark.parametrize(
    ("n", "temperature", "num_labels"), [(400, 0.5, 1), (20_000, 2.0, K), (600, 4.0, 40)]
)
def test_temperature_equals_scipy(n, temperature, num_labels):
    y, z = sample(n, temperature, num_labels)
    fit = fit_temperature(y, z, from_logits=True, multi_label=True)
    assert fit.multi_label
    assert fit.converged
    assert fit.at_bound is None
    assert fit.temperature == pytest.approx(reference(y, z), rel=2e-5)
    assert fit.temperature == pytest.approx(temperature, rel=0.2)
    assert fit.nll_before == pytest.approx(nll(y, z, 1), rel=1e-6)
    assert fit.nll_after == pytest.approx(nll(y, z, fit.temperature), rel=1e-6)
    assert fit.ece_before == pytest.approx(ece(y, z, 1), abs=2e-6)
    assert fit.ece_after == pytest.approx(ece(y, z, fit.temperature), abs=1e-4)
    assert fit.num_examples == y.size
    flat = fit_temperature(y.ravel(), z.reshape(-1, 1), from_logits=True, multi_label=True)
    assert flat == fit


def test_values_computed_by_hand():
    # σ(4/T) = .9 where nine of ten labels are 1
    fit = fit_temperature([1] * 9 + [0], np.full((10, 1), 4.0), from_logits=True, multi_label=True)
    assert fit.temperature == pytest.approx(4 / math.log(9), rel=1e-5)
    assert fit.ece_before == pytest.approx(special.expit(4) - 0.9, abs=1e-6)
    assert fit.ece_after == pytest.approx(0, abs=1e-6)
    # The same of the label 0: the error is that of the label 1's probability, of about 0.1.
    fit = fit_temperature([0] * 9 + [1], np.full((10, 1), -4.0), from_logits=True, multi_label=True)
    assert fit.temperature == pytest.approx(4 / math.log(9), rel=1e-5)
    assert fit.ece_before == pytest.approx(0.1 - special.expit(-4), abs=1e-6)


def test_probabilities_and_float16_logits():
    y, z = sample()
    exact = fit_temperature(y, z, from_logits=True, multi_label=True).temperature
    p = special.expit(z.astype(float))
    assert fit_temperature(y, p, multi_label=True).temperature == pytest.approx(exact, rel=1e-5)
    half = z.astype("float16")
    found = fit_temperature(y, half, from_logits=True, multi_label=True).temperature
    expected = fit_temperature(y, half.astype("float32"), from_logits=True, multi_label=True)
    assert found == expected.temperature
    tensor = fit_temperature(y, ops.convert_to_tensor(z), from_logits=True, multi_label=True)
    assert tensor.temperature == exact


def test_soft_labels():
    _, z = sample()
    soft = special.expit(z / 3.0)
    fit = fit_temperature(soft, z, from_logits=True, multi_label=True)
    assert fit.temperature == pytest.approx(3, rel=1e-4)


def test_ignored_masked_and_weightless_labels_do_not_count():
    y, z = sample(200)
    rng = np.random.default_rng(1)
    keep, rows = rng.random(y.shape) < 0.7, rng.random(len(y)) < 0.8
    counted = keep & rows[:, None]
    expected = reference(y, z, counted)
    given, dirty = np.where(keep, y, -1), np.where(counted, z, np.nan)
    options = {"from_logits": True, "multi_label": True}
    fit = fit_temperature(given, dirty, mask=rows, ignore_class=-1, **options)
    assert fit.temperature == pytest.approx(expected, rel=2e-5)
    assert fit.num_examples == counted.sum()
    fit = fit_temperature(y, dirty, sample_weight=counted * 1.0, **options)
    assert fit.temperature == pytest.approx(expected, rel=2e-5)
    fit = fit_temperature(given, dirty, sample_weight=rows * 2.0, ignore_class=-1, **options)
    assert fit.temperature == pytest.approx(expected, rel=2e-5)


def test_bounds_flat_logits_and_ece_objective():
    z = np.float32([[2.0], [-1.0]])
    options = {"from_logits": True, "multi_label": True}
    with pytest.warns(UserWarning, match="at the lower bound"):
        right = fit_temperature([1, 0], z, **options)
    assert (right.at_bound, right.temperature) == ("lower", pytest.approx(1e-2))
    with pytest.warns(UserWarning, match="at the upper bound"):
        wrong = fit_temperature([0, 1], z, **options)
    assert (wrong.at_bound, wrong.temperature) == ("upper", pytest.approx(1e2))
    assert fit_temperature([0, 1], 0 * z, **options).flat
    best = fit_temperature(*sample(), objective="ece", **options)
    assert best.ece_after < best.ece_before
    assert best.ece_after == pytest.approx(ece(*sample(), best.temperature), abs=1e-4)


def cut(*columns, size=128):
    return [tuple(c[i : i + size] for c in columns) for i in range(0, len(columns[0]), size)]


@pytest.mark.parametrize("objective", ["nll", "ece"])
@pytest.mark.parametrize("reservoir", [None, 10**6])
def test_data_set_gives_same_fit_as_arrays(objective, reservoir):
    y, z = sample(1500)
    options = {"objective": objective, "from_logits": True, "multi_label": True}
    whole = fit_temperature(y, z, **options)
    fit = fit_temperature_dataset(lambda x: x, cut(z, y), reservoir=reservoir, **options)
    assert fit.multi_label
    assert fit.temperature == pytest.approx(whole.temperature, rel=1e-4)
    assert fit.nll_after == pytest.approx(whole.nll_after, rel=1e-6)
    assert fit.ece_before == pytest.approx(whole.ece_before, abs=1e-6)
    assert fit.num_examples == y.size


def test_curve_of_sigmoids_equals_scaled_probabilities():
    y, z = sample(300)
    curve = temperature_curve(
        lambda x: x, cut(z, y), (0.5, 2.0), from_logits=True, multi_label=True
    )
    for t, found, error in zip((0.5, 2.0), curve.nll, curve.ece, strict=True):
        assert found == pytest.approx(nll(y, z, t), rel=1e-5)
        assert error == pytest.approx(ece(y, z, t), abs=2e-6)


def test_callback_reports_scores_of_other_half():
    y, z = sample(400)
    model = keras.Sequential(
        [keras.Input((K,)), layers.Dense(K, kernel_initializer="identity", activation="sigmoid")]
    )
    model.compile(keras.optimizers.SGD(0.0), ls_keras.SmoothedBCE(0.1))
    callback = TemperatureScaling((z, y), multi_label=True, batch_size=64)
    history = model.fit(z, y, verbose=0, callbacks=[callback]).history
    fit = fit_temperature(y[::2], z[::2], from_logits=True, multi_label=True)
    assert history["val_temperature"][0] == pytest.approx(fit.temperature, rel=1e-3)
    assert history["val_ece_half"][0] == pytest.approx(ece(y[1::2], z[1::2], 1), abs=1e-4)
    scaled = nll(y[1::2], z[1::2], fit.temperature)
    assert history["val_nll_scaled"][0] == pytest.approx(scaled, rel=1e-4)


@keras.saving.register_keras_serializable(package="ls_keras_sigmoids")
class Subclassed(keras.Model):
    def __init__(self, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.last = layers.Dense(K, activation=activation, kernel_initializer="identity")
        self.activation = activation

    def call(self, inputs):
        return self.last(inputs)

    def get_config(self):
        return {**super().get_config(), "activation": self.activation}


@keras.saving.register_keras_serializable(package="ls_keras_sigmoids")
class Own(layers.Layer):
    """A sigmoid that the graph does not show."""

    def call(self, inputs):
        return ops.sigmoid(inputs)


def linear(x):
    return layers.Dense(K, kernel_initializer="identity", name="logits")(x)


def dense(x):
    return layers.Dense(K, kernel_initializer="identity", activation="sigmoid")(x)


def nested(x):
    inner = keras.Input((K,))
    return keras.Model(inner, dense(inner))(x)


def functional(end):
    def make():
        inputs = keras.Input((K,))
        return keras.Model(inputs, end(inputs))

    return make


MODELS = {
    "logits": functional(linear),
    "activation": functional(dense),
    "activation layer": functional(lambda x: layers.Activation("sigmoid")(linear(x))),
    "operation": functional(lambda x: ops.sigmoid(linear(x))),
    "nested": functional(nested),
    "unseen": functional(lambda x: Own()(linear(x))),
    "sequential": lambda: keras.Sequential(
        [
            keras.Input((K,)),
            layers.Dense(K, kernel_initializer="identity", activation="sigmoid"),
        ]
    ),
    "subclass": lambda: Subclassed("sigmoid"),
    "subclass of logits": Subclassed,
}


@pytest.mark.parametrize("name", MODELS)
def test_calibrated_model_returns_scaled_logits(name, tmp_path):
    (y, z), model = sample(100), MODELS[name]()
    before = ops.convert_to_numpy(model(z))
    logits = name.endswith("logits")
    fit = fit_temperature(y, before, from_logits=logits, multi_label=True)
    assert fit.temperature == pytest.approx(reference(y, z), rel=1e-4)
    made = ls_keras.calibrated(model, fit, from_logits=name == "subclass of logits")
    assert "calibrated_logits" in {layer.name for layer in made.layers}
    found = ops.convert_to_numpy(made(z))
    expected = z / fit.temperature
    np.testing.assert_allclose(
        found, expected if logits else special.expit(expected), rtol=1e-3, atol=1e-4
    )
    given = {"from_logits": True} if logits else {}
    apply = fit.logits if logits else fit.probabilities
    np.testing.assert_allclose(apply(before, **given), found, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(z)), before)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(z)), found, rtol=1e-6)


def test_one_of_several_heads():
    y, z = sample(100)
    inputs = keras.Input((K,))
    heads = {"labels": dense(inputs), "classes": layers.Dense(2, activation="softmax")(inputs)}
    model = keras.Model(inputs, heads)
    options = {"output": "labels", "multi_label": True}
    fit = fit_temperature_dataset(model, cut(z, y, size=20), **options)
    assert fit.temperature == pytest.approx(reference(y, z), rel=1e-4)
    made = ls_keras.calibrated(model, fit, output="labels")(z)["labels"]
    np.testing.assert_allclose(
        ops.convert_to_numpy(made), special.expit(z / fit.temperature), rtol=1e-3, atol=1e-4
    )


def test_sigmoid_fit_for_softmax_model_raises_input_error():
    y, z = sample(100)
    sigmoids = fit_temperature(y, z, from_logits=True, multi_label=True)
    classes = fit_temperature(z.argmax(-1) * y[:, 0], z, from_logits=True)
    softmax = functional(lambda x: layers.Softmax()(linear(x)))()
    with pytest.raises(InputError, match="in logits or in a sigmoid"):
        ls_keras.calibrated(softmax, sigmoids)
    with pytest.raises(InputError, match="in logits or in a softmax"):
        ls_keras.calibrated(MODELS["activation"](), classes)


def test_sigmoid_with_from_logits_warns():
    y, z = sample(100)
    fit = fit_temperature(y, z, from_logits=True, multi_label=True)
    with pytest.warns(UserWarning, match="'sigmoid'"):
        ls_keras.calibrated(MODELS["activation"](), fit, from_logits=True)
    with (
        pytest.warns(UserWarning, match="numbers between 0 and 1"),  # its outputs say so, too
        pytest.warns(UserWarning, match="'sigmoid'"),
    ):
        fit_temperature_dataset(
            MODELS["activation"](), cut(z, y), from_logits=True, multi_label=True
        )

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.calibration.scaling.calibrated import calibrated
from ls_keras.calibration.scaling.classwise_scaling import fit_histogram, fit_isotonic
from ls_keras.calibration.scaling.mixed_scaling import fit_matrix_scaling, fit_mixed_temperature
from ls_keras.calibration.scaling.temperature import fit_temperature
from ls_keras.calibration.scaling.temperature_dataset import fit_temperature_dataset
from ls_keras.calibration.scaling.vector_scaling import fit_vector_scaling

# Labels are drawn at random, so that the best temperature may be at a bound.
pytestmark = pytest.mark.filterwarnings("ignore:The best temperature is at the")

LOAD = """
import sys
import numpy as np
import keras
import ls_keras
x = np.load(sys.argv[1])
for path in sys.argv[2:]:
    model = keras.models.load_model(path)
    assert model.layers[-1].name == "calibrated_logits"
    np.save(path + ".npy", model.predict(x, verbose=0))
"""


@keras.saving.register_keras_serializable(package="ls_keras_tests")
class Subclassed(keras.Model):
    def __init__(self, probabilities=False, **kwargs):
        super().__init__(**kwargs)
        last = "softmax" if probabilities else None
        self.hidden = keras.layers.Dense(8, activation="tanh")
        self.logits = keras.layers.Dense(5, activation=last, name="logits")

    def call(self, inputs, training=None):
        return self.logits(self.hidden(inputs))


def functional(**last):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(8, activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Dense(5, name="logits", **last)(x))


def sequential():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="logits")])


def data(n=300):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 3)).astype(np.float32) * 3, rng.integers(0, 5, n)


def fit_of(kind, y, z):
    fits = {
        "temperature": fit_temperature,
        "vector": fit_vector_scaling,
        "mixed temperature": fit_mixed_temperature,
        "matrix": fit_matrix_scaling,
        "isotonic": fit_isotonic,
        "histogram": fit_histogram,
    }
    return fits[kind](y, z, from_logits=True)


def scaled(fit, z):
    return z / fit.temperature if hasattr(fit, "temperature") else z * fit.scale + fit.bias


@pytest.mark.parametrize("kind", ["temperature", "vector"])
@pytest.mark.parametrize("make", [functional, sequential, Subclassed])
def test_logits_are_scaled_and_weights_shared(make, kind):
    model, (x, y) = make(), data()
    z = ops.convert_to_numpy(model(x))
    fit = fit_of(kind, y, z)
    made = calibrated(model, fit, from_logits=True)
    np.testing.assert_allclose(ops.convert_to_numpy(made(x)), scaled(fit, z), atol=1e-5)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(x)), z)
    assert made.layers[-1].name == "calibrated_logits"
    # Weights are shared, both ways.
    model.set_weights([w * 0 + 1 for w in model.get_weights()])
    np.testing.assert_allclose(
        ops.convert_to_numpy(made(x)), scaled(fit, ops.convert_to_numpy(model(x))), atol=1e-4
    )
    if make is not Subclassed:
        assert made.get_layer("logits") is model.get_layer("logits")


@pytest.mark.parametrize("kind", ["mixed temperature", "matrix", "isotonic", "histogram"])
@pytest.mark.parametrize("make", [functional, Subclassed])
def test_other_fits_are_saved_with_the_model(make, kind, tmp_path):
    model, (x, y) = make(), data()
    z = ops.convert_to_numpy(model(x))
    fit = fit_of(kind, y, z)
    made = calibrated(model, fit, from_logits=True)
    p = ops.convert_to_numpy(ops.softmax(made(x)))
    near = np.isclose(p, fit.probabilities(z, from_logits=True), atol=1e-4)
    assert near.mean() > 0.99  # a curve may jump between roundings
    assert made.layers[-1].name == "calibrated_logits"
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(ops.softmax(loaded(x))), p, atol=1e-6)


@pytest.mark.slow
def test_model_is_loaded_in_a_new_process(tmp_path):
    x, y = data()
    np.save(tmp_path / "x.npy", x)
    expected = {}
    for make in (functional, sequential):
        for kind in ("temperature", "vector"):
            model = make()
            made = calibrated(model, fit_of(kind, y, ops.convert_to_numpy(model(x))))
            path = tmp_path / f"{make.__name__}_{kind}.keras"
            made.save(path)
            expected[str(path)] = made.predict(x, verbose=0)
    result = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "x.npy"), *expected],
        env={**os.environ, "KERAS_BACKEND": keras.config.backend()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for path, values in expected.items():
        np.testing.assert_allclose(np.load(f"{path}.npy"), values, rtol=1e-5, atol=1e-5)


def softmax_layer():
    inputs = keras.Input((3,))
    z = keras.layers.Dense(5, name="logits")(inputs)
    return keras.Model(inputs, keras.layers.Softmax()(z))


def softmax_activation_layer():
    inputs = keras.Input((3,))
    z = keras.layers.Dense(5, name="logits")(inputs)
    return keras.Model(inputs, keras.layers.Activation("softmax")(z))


@pytest.mark.parametrize(
    "make", [lambda: functional(activation="softmax"), softmax_layer, softmax_activation_layer]
)
def test_calibrated_softmax_model_returns_probabilities(make):
    model, (x, y) = make(), data()
    p = ops.convert_to_numpy(model(x))
    fit = fit_temperature(y, np.log(p), from_logits=True)
    q = ops.convert_to_numpy(calibrated(model, fit)(x))
    expected = p ** (1 / fit.temperature)
    np.testing.assert_allclose(q, expected / expected.sum(-1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(model(x)), p, atol=1e-7)


def nested(**last):
    inputs = keras.Input((3,))
    return keras.Model(inputs, functional(**last)(inputs))


def behind(function):
    inputs = keras.Input((3,))
    return keras.Model(inputs, function(keras.layers.Dense(5, name="logits")(inputs)))


@keras.saving.register_keras_serializable(package="ls_keras_tests")
class Own(keras.layers.Layer):
    """A softmax that the graph does not show."""

    def call(self, inputs):
        return ops.softmax(inputs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nested(activation="softmax"),
        lambda: behind(ops.softmax),
        lambda: behind(keras.layers.Lambda(lambda z: ops.softmax(z))),
        lambda: behind(Own()),
        lambda: Subclassed(probabilities=True),
    ],
    ids=["nested", "operation", "lambda", "unseen", "subclass"],
)
def test_probabilities_are_scaled_as_their_logits(make):
    model, (x, y) = make(), data()
    p = ops.convert_to_numpy(model(x))
    fit = fit_temperature(y, p)
    q = ops.convert_to_numpy(calibrated(model, fit)(x))
    expected = p ** (1 / fit.temperature)
    np.testing.assert_allclose(q, expected / expected.sum(-1, keepdims=True), atol=1e-5)


def test_from_logits_is_used_where_the_graph_shows_no_activation():
    x, _ = data()
    fit = 2.0
    own = behind(keras.layers.Lambda(lambda z: z * 2))
    z = ops.convert_to_numpy(own(x))
    scaled = calibrated(own, fit, from_logits=True)
    np.testing.assert_allclose(ops.convert_to_numpy(scaled(x)), z / 2, rtol=1e-5)
    assert np.isnan(ops.convert_to_numpy(calibrated(own, fit)(x))).all()
    with pytest.warns(UserWarning, match="Received: the output of the layer 'logits'"):
        calibrated(functional(activation="softmax"), fit, from_logits=True)
    with pytest.raises(InputError, match="from_logits to be True or False"):
        calibrated(own, fit, from_logits="no")


def test_dict_inputs_keep_their_names():
    inputs = {name: keras.Input((2,), name=name) for name in "ab"}
    z = keras.layers.Dense(3, name="logits")(keras.layers.Concatenate()([inputs["a"], inputs["b"]]))
    model = keras.Model(inputs, z)
    x = {"a": np.ones((4, 2)), "b": np.zeros((4, 2))}
    fit = fit_temperature([0, 1, 2, 0], ops.convert_to_numpy(model(x)), from_logits=True)
    np.testing.assert_allclose(
        calibrated(model, fit).predict(x, verbose=0),
        model.predict(x, verbose=0) / fit.temperature,
        atol=1e-5,
    )


def test_wrong_arguments_raise_input_errors():
    x, y = data()
    model = functional()
    fit = fit_temperature(y, ops.convert_to_numpy(model(x)), from_logits=True)
    for wrong in ("2.0", 0, -1, None, x):
        with pytest.raises(InputError, match="fit to be a finite number above 0"):
            calibrated(model, wrong)
    with pytest.raises(InputError, match=r"keras\.Model"):
        calibrated(lambda x: x, fit)
    with pytest.raises(InputError, match="sigmoid"):
        calibrated(functional(activation="sigmoid"), fit)
    inputs = keras.Input((3,))
    two = keras.Model(inputs, [keras.layers.Dense(2)(inputs), keras.layers.Dense(2)(inputs)])
    with pytest.raises(InputError, match="one output"):
        calibrated(two, fit)
    narrow = fit_vector_scaling(y % 2, x[:, :2], from_logits=True)
    with pytest.raises(InputError, match="5 classes"):
        calibrated(model, narrow)
    with pytest.raises(InputError, match="5 classes"):
        calibrated(model, fit_matrix_scaling(y % 2, x[:, :2], from_logits=True))


@pytest.mark.parametrize("make", [functional, sequential])
def test_calibrated_models_can_be_calibrated_again(make):
    x, _ = data()
    first = calibrated(make(), 2.0, from_logits=True)
    second = calibrated(first, 0.25, from_logits=True)
    twice, once = (ops.convert_to_numpy(model(x)) for model in (second, first))
    np.testing.assert_allclose(twice, once * 4, rtol=1e-5)


@pytest.mark.parametrize("last", ["softmax", "sigmoid", None])
def test_number_is_used_as_temperature(last):
    model, (x, _) = functional(activation=last), data()
    before, after = (ops.convert_to_numpy(m(x)) for m in (model, calibrated(model, 1.5)))
    if last is None:
        np.testing.assert_allclose(after, before / 1.5, rtol=1e-5)
    elif last == "sigmoid":
        z = np.log(before) - np.log1p(-before)
        np.testing.assert_allclose(after, 1 / (1 + np.exp(-z / 1.5)), rtol=1e-4)
    else:
        p = before ** (1 / 1.5)
        np.testing.assert_allclose(after, p / p.sum(-1, keepdims=True), rtol=1e-4)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # of the exporters
@pytest.mark.parametrize(
    "kind", ["temperature", "vector", "mixed temperature", "matrix", "isotonic", "histogram"]
)
def test_onnx_runtime_gives_the_same_probabilities(kind, tmp_path):
    import onnxruntime

    model, (x, _) = functional(), data(600)
    z = 3 * model.predict(x, verbose=0)
    y = np.argmax(z + np.random.default_rng(1).gumbel(size=z.shape), axis=-1)
    made = calibrated(model, fit_of(kind, y[:300], z[:300]))
    expected = made.predict(x[300:], verbose=0)
    made.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: x[300:]})
    softmax = [ops.convert_to_numpy(ops.softmax(logits)) for logits in (found, expected)]
    np.testing.assert_allclose(*softmax, atol=1e-5)


HUB = ("the cat sat", "a dog ran", "the dog sat", "a cat ran")


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub")


def text_classifier(hub, activation=None):
    words = sorted({word for text in HUB for word in text.split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    tokenizer = hub.models.BertTokenizer(vocabulary=vocabulary)
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
    return hub.models.BertTextClassifier(
        hub.models.BertBackbone(len(vocabulary), max_sequence_length=8, **sizes),
        num_classes=3,
        preprocessor=hub.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=8),
        activation=activation,
    )


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_calibrated_keras_hub_classifier_accepts_strings(hub, activation, tmp_path):
    model = text_classifier(hub, activation)
    texts, y = np.array(HUB * 3), np.arange(12) % 3
    before = model.predict(texts, verbose=0)
    logits = activation is None
    fit = fit_temperature_dataset(model, (texts, y), from_logits=logits, batch_size=5)
    given = fit_temperature(y, before, from_logits=logits)
    assert fit.temperature == pytest.approx(given.temperature, rel=1e-3)
    made = calibrated(model, fit)
    assert isinstance(made, hub.models.BertTextClassifier)
    assert made.preprocessor is model.preprocessor
    found = made.predict(list(HUB), verbose=0)
    apply = fit.logits if logits else fit.probabilities
    np.testing.assert_allclose(found, apply(before[:4]), rtol=1e-3, atol=1e-5)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, hub.models.BertTextClassifier)
    np.testing.assert_allclose(loaded.predict(list(HUB), verbose=0), found, rtol=1e-5)


def test_calibrated_keras_hub_language_model_generates(hub):
    vocabulary = {"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3}
    tokenizer = hub.models.GPT2Tokenizer(vocabulary=vocabulary, merges=["a b"])
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
    model = hub.models.GPT2CausalLM(
        hub.models.GPT2Backbone(4, max_sequence_length=8, **sizes),
        hub.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=8),
    )
    made = calibrated(model, 2.0)
    assert isinstance(made, hub.models.GPT2CausalLM)
    texts = ["ab a", "b"]
    np.testing.assert_allclose(
        made.predict(texts, verbose=0), model.predict(texts, verbose=0) / 2, atol=1e-5
    )
    made.compile(sampler="greedy")
    model.compile(sampler="greedy")
    assert made.generate("a", max_length=6) == model.generate("a", max_length=6)

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import temperature_curve
from ls_keras.distillation import equivalent_smoothing_dataset
from ls_keras.inputs.model_outputs import of_head, replaced, select_output

N, K = 400, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, K)).astype("float32") * 3
LABELS = {
    "sharp": (X / 3 + RNG.gumbel(size=X.shape)).argmax(-1),  # T = 3
    "soft": (X * 2 + RNG.gumbel(size=X.shape)).argmax(-1),  # T = 1/2
}


def two_heads(structure):
    inputs = keras.Input((K,))
    outputs = [
        keras.layers.Dense(K, kernel_initializer="identity", name=name)(inputs) for name in LABELS
    ]
    model = keras.Model(inputs, outputs)
    if structure == "list":
        return model
    if structure == "dict":
        return keras.Model(inputs, dict(zip(LABELS, outputs, strict=True)))
    return Heads(model)


@keras.saving.register_keras_serializable("tests")
class Heads(keras.Model):
    """A model without a graph that gives a mapping."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner
        self.built = True

    def call(self, inputs):
        return dict(zip(LABELS, self.inner(inputs), strict=True))

    def get_config(self):
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        return cls(keras.saving.deserialize_keras_object(config.pop("inner")), **config)


def data(each):
    def labels(rows):
        if each is None:
            return LABELS["soft"][rows]
        parts = {name: y[rows] for name, y in LABELS.items()}
        return parts if each == "dict" else list(parts.values())

    return [(X[i : i + 50], labels(slice(i, i + 50))) for i in range(0, N, 50)]


@pytest.mark.parametrize("structure", ["list", "dict", "subclass"])
@pytest.mark.parametrize("each", [None, "dict", "list"])
def test_each_head_has_its_own_temperature(structure, each):
    model = two_heads(structure)
    expected = ls_keras.fit_temperature(LABELS["soft"], X, from_logits=True)
    for output in ("soft",) if structure != "list" else ("soft", 1):
        if (each == "dict" and output == 1) or (each == "list" and structure != "list"):
            continue
        options = {"from_logits": True, "output": output}
        fit = ls_keras.fit_temperature_dataset(model, data(each), **options)
        assert fit.num_examples == N
        assert fit.temperature == pytest.approx(expected.temperature, rel=1e-4)
        curve = temperature_curve(model, data(each), [1.0], **options)
        assert curve.nll[0] == pytest.approx(expected.nll_before, rel=1e-5)
        gamma = equivalent_smoothing_dataset(model, data(each), **options)
        assert gamma == pytest.approx(
            ls_keras.equivalent_smoothing(LABELS["soft"], X, from_logits=True), rel=1e-5
        )


@pytest.mark.parametrize("structure", ["list", "dict", "subclass"])
def test_each_head_is_calibrated_and_saved(structure, tmp_path):
    model = two_heads(structure)
    fits = {name: ls_keras.fit_temperature(y, X, from_logits=True) for name, y in LABELS.items()}
    one = ls_keras.calibrated(model, fits["sharp"], output="sharp", from_logits=True)
    both = ls_keras.calibrated(one, fits["soft"], output="soft", from_logits=True)
    one(X), both(X)  # a model without a graph is built by its first call
    one.save(tmp_path / "one.keras")
    both.save(tmp_path / "both.keras")
    for path, scaled in (("one", ["sharp"]), ("both", ["sharp", "soft"])):
        loaded = keras.saving.load_model(tmp_path / f"{path}.keras")
        outputs = loaded(X)
        assert isinstance(outputs, list) == (structure == "list")
        outputs = dict(zip(LABELS, outputs, strict=True)) if structure == "list" else outputs
        for name, fit in fits.items():
            t = fit.temperature if name in scaled else 1.0
            np.testing.assert_allclose(ops.convert_to_numpy(outputs[name]), X / t, rtol=1e-5)


def test_a_callback_reads_one_head():
    model = two_heads("dict")
    model.compile(
        keras.optimizers.SGD(0.0),
        {name: ls_keras.SmoothedCE(0.1, from_logits=True) for name in LABELS},
    )
    scalings = [
        ls_keras.TemperatureScaling((X, LABELS), from_logits=True, output=name, prefix=name)
        for name in LABELS
    ]
    model.fit(X, LABELS, verbose=0, callbacks=scalings)
    for scaling, (name, y) in zip(scalings, LABELS.items(), strict=True):
        half = ls_keras.fit_temperature(y[::2], X[::2], from_logits=True)
        assert scaling.fit.temperature == pytest.approx(half.temperature, rel=1e-4), name


@pytest.mark.parametrize("output", [None, "other", 2, True])
def test_what_no_head_is_called_is_told(output):
    model = two_heads("list")
    fit = ls_keras.fit_temperature(LABELS["soft"], X, from_logits=True)
    message = "Expected one output, or output= to be one of 'sharp', 'soft'. Received: output="
    with pytest.raises(InputError, match=message):
        ls_keras.fit_temperature_dataset(model, data(None), from_logits=True, output=output)
    with pytest.raises(InputError, match=message):
        ls_keras.calibrated(model, fit, output=output)


def test_structures():
    assert (
        select_output([5], None)
        == select_output({"a": 5}, None)
        == select_output(5, "a", ["a"])
        == 5
    )
    assert replaced((1, 2), 0, 9) == [9, 2]
    assert replaced({"a": 1, "b": 2}, "b", 9) == {"a": 1, "b": 9}
    labels = [0, 1, 1]
    assert of_head(labels, 1) is labels
    assert of_head(None, 1) is None


def test_the_callbacks_that_look_into_a_head_take_one(tmp_path):
    inputs = keras.Input((K,))
    hidden = {name: keras.layers.Dense(2, name=f"before_{name}")(inputs) for name in LABELS}
    heads = {name: keras.layers.Dense(K, name=name)(hidden[name]) for name in LABELS}
    model = keras.Model(inputs, heads)
    model.compile(
        keras.optimizers.SGD(0.0),
        {name: ls_keras.SmoothedCE(0.1, from_logits=True) for name in LABELS},
    )
    y = LABELS["soft"]
    plotter = ls_keras.ProjectionPlotter((X, y), (0, 1, 2), directory=tmp_path, output="soft")
    probe = ls_keras.MutualInformationProbe(
        (X, y), (0, 1), keras.layers.GaussianNoise(0.1), draws=2, output="soft"
    )
    model.fit(X, LABELS, verbose=0, callbacks=[plotter, probe])
    alone = keras.Model(inputs, heads["soft"])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(ls_keras.templates(model, output="soft")),
        ops.convert_to_numpy(ls_keras.templates(alone)),
    )
    of_one = ls_keras.ProjectionPlotter((X, y), (0, 1, 2))
    of_one.set_model(alone)
    np.testing.assert_allclose(
        plotter.projections[""].coordinates, of_one.project()[""].coordinates, rtol=1e-5
    )
    noise = keras.layers.GaussianNoise(0.1)
    again = ls_keras.MutualInformationProbe((X, y), (0, 1), noise, draws=2)
    again.set_model(alone)
    assert again.measure().value == pytest.approx(probe.history[-1]["mutual_information"], rel=1e-4)

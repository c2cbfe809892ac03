"""Callbacks that measure a model do not stop its training when it diverges."""

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.backend.keras_internals import sync_state
from ls_keras.callbacks import MutualInformationProbe, ProjectionPlotter, TemperatureScaling
from ls_keras.plots import information_curve

NAMES = ("val_temperature", "val_ece_half", "val_ece_scaled", "val_nll_scaled")


class Overflow(keras.callbacks.Callback):
    """Sets the kernel of the last layer at the end of each epoch, and a valid kernel afterwards."""

    def __init__(self, kernels):
        super().__init__()
        self.kernels = kernels

    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[-1].kernel.assign(np.eye(8, 3))

    def on_epoch_end(self, epoch, logs=None):
        sync_state(self.model)
        self.model.layers[-1].kernel.assign(np.broadcast_to(self.kernels[epoch], (8, 3)))


def make(rate=0.0, activation=None):
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(3, activation, name="logits")]
    model = keras.Sequential([keras.Input((5,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model.compile(keras.optimizers.SGD(rate), loss)
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(66, 5)).astype("float32"), np.arange(66) % 3


def monitors(data, directory):
    return {
        MutualInformationProbe: lambda: MutualInformationProbe(
            data, (0, 1), keras.layers.GaussianNoise(0.1), file=directory / "mi.csv"
        ),
        ProjectionPlotter: lambda: ProjectionPlotter(data, (0, 1, 2), directory=directory),
        TemperatureScaling: lambda: TemperatureScaling(data, from_logits=True),
    }


def library_warnings(warned):
    """Returns the library's warnings, without those of NumPy about Keras."""
    return [warning for warning in warned if warning.category is UserWarning]


@pytest.mark.parametrize("rate", [1e10, 1e30])
@pytest.mark.parametrize("monitor", [MutualInformationProbe, ProjectionPlotter, TemperatureScaling])
def test_a_diverging_model_is_trained_to_the_end(monitor, rate, data, tmp_path):
    keras.utils.set_random_seed(0)
    model, callback = make(rate), monitors(data, tmp_path)[monitor]()
    with pytest.warns(UserWarning, match=f"^{monitor.__name__} .*not finite") as warned:
        history = model.fit(*data, batch_size=16, epochs=3, callbacks=[callback], verbose=0).history
    (warning,) = library_warnings(warned)
    assert warning.filename == __file__
    assert "\n" not in str(warning.message)
    assert all(len(values) == 3 for values in history.values())
    names = {MutualInformationProbe: ("mutual_information",), TemperatureScaling: NAMES}
    assert all(np.isnan(history[name][-1]) for name in names.get(monitor, ()))


def test_values_return_when_outputs_are_finite_again(data, tmp_path):
    good = np.eye(8, 3)
    found = monitors(data, tmp_path)
    probe, plotter, scaling = (make_one() for make_one in found.values())
    kernels = [np.full((8, 3), np.nan), good, np.full((8, 3), np.inf), good]
    callbacks = [Overflow(kernels), probe, plotter, scaling]
    with pytest.warns(UserWarning, match="in epoch 1|at step 5") as warned:
        history = make().fit(*data, batch_size=16, epochs=4, callbacks=callbacks, verbose=0).history
    assert len(library_warnings(warned)) == 3
    for name in ("mutual_information", *NAMES):
        np.testing.assert_array_equal(np.isnan(history[name]), [True, False, True, False], name)
    # There is no entry, row or figure of skipped epochs.
    assert [entry["step"] for entry in probe.history] == [0, 10, 20]
    assert len((tmp_path / "mi.csv").read_text().splitlines()) == 4
    assert information_curve(probe.history).axes
    assert [file.name[-8:-4] for file in plotter.files] == ["0002", "0004"]
    assert scaling.fit.temperature == history["val_temperature"][-1]


def test_probabilities_that_are_not_finite_are_skipped(data):
    scaling = TemperatureScaling(data)
    callbacks, model = [Overflow([np.nan]), scaling], make(activation="softmax")
    with pytest.warns(UserWarning, match="TemperatureScaling logs NaN in epoch 1") as warned:
        history = model.fit(*data, callbacks=callbacks, verbose=0).history
    assert len(library_warnings(warned)) == 1
    assert np.isnan(history["val_ece_half"]).all()


def test_each_training_warns_once(data, tmp_path):
    plotter = ProjectionPlotter(data, (0, 1, 2), directory=tmp_path)
    model = make()
    for _ in range(2):
        with pytest.warns(UserWarning, match="ProjectionPlotter draws nothing in epoch 1"):
            model.fit(*data, epochs=2, callbacks=[Overflow([1e16, 1e16]), plotter], verbose=0)
    assert not plotter.files


def test_wrong_data_raise_input_errors_even_with_nan_outputs(data, tmp_path):
    x, y = data
    for callback, message in (
        (TemperatureScaling((x, y + 4), from_logits=True), "labels"),
        (TemperatureScaling((x, y, -np.ones(66)), from_logits=True), "weights"),
    ):
        for kernel in (np.eye(8, 3), np.full((8, 3), np.nan)):
            with pytest.raises(InputError, match=message):
                make().fit(x, y, callbacks=[Overflow([kernel]), callback], verbose=0)
    for labels, message in ((y + 4, "labels"), (y % 2, "none of class")):
        plotter = ProjectionPlotter((x, labels), (0, 1, 2), directory=tmp_path)
        with pytest.raises(InputError, match=message):
            make().fit(x, y, callbacks=[Overflow([np.eye(8, 3)]), plotter], verbose=0)


def test_activations_that_are_not_finite_are_skipped(data, tmp_path):
    x, model = data[0].copy(), make()
    x[5] = (np.inf, 0, 0, 0, 0)
    model.layers[0].kernel.assign(np.ones((5, 8)))
    plotter = ProjectionPlotter((x, data[1]), (0, 1, 2), directory=tmp_path)
    with pytest.warns(UserWarning, match="draws nothing in epoch 1.*Expected finite values"):
        model.fit(*data, callbacks=[plotter], verbose=0)
    wrong = ProjectionPlotter((x, data[1] + 4), (0, 1, 2), directory=tmp_path)
    with pytest.raises(InputError, match="labels"):
        model.fit(*data, callbacks=[wrong], verbose=0)


def test_invalid_probabilities_raise_an_input_error(data):
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs) * 2.0)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(InputError, match="Expected .*probabilities|from_logits"):
        model.fit(*data, callbacks=[TemperatureScaling(data)], verbose=0)


def test_nan_before_training_raises_an_input_error(data):
    model = make()
    model.layers[-1].kernel.assign(np.full((8, 3), np.nan))
    probe = MutualInformationProbe(data, (0, 1), keras.layers.GaussianNoise(0.1))
    with pytest.raises(InputError, match="Expected finite samples"):
        model.fit(*data, callbacks=[probe], verbose=0)
    with pytest.raises(InputError, match="Expected finite samples"):
        probe.measure()

"""Data of every kind that Keras takes, through everything that takes data."""

from collections import namedtuple

import keras
import numpy as np
import pytest

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import temperature_curve
from ls_keras.distillation import equivalent_smoothing_dataset
from ls_keras.inputs.batches import as_batches

N, K = 22, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, K)).astype("float32")
Y = np.arange(N) % K
WEIGHTS = RNG.uniform(0.5, 1.5, N).astype("float32")


class Sequence(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    @property
    def num_batches(self):
        return 3

    def __getitem__(self, index):
        return tuple(array[8 * index : 8 * index + 8] for array in self.arrays)


def tf_data(*arrays):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays).batch(8)


def data_loader(*arrays):
    import torch

    tensors = (torch.tensor(array) for array in arrays)
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), batch_size=8)


KINDS = {
    "arrays": lambda *arrays: arrays,
    "lists of numbers": lambda *arrays: tuple(array.tolist() for array in arrays),
    "tensors": lambda *arrays: tuple(keras.ops.convert_to_tensor(array) for array in arrays),
    "tf.data": tf_data,
    "PyDataset": Sequence,
    "list of batches": lambda *arrays: list(Sequence(*arrays)),
    "DataLoader": pytest.param(data_loader, marks=pytest.mark.peers),
}


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request):
    return request.param


def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((K,)), keras.layers.Dense(K, name="logits")])
    made.compile("sgd", ls_keras.SmoothedCE(from_logits=True))
    return made


@pytest.mark.parametrize("arrays", [(X, Y), (X, Y, WEIGHTS)], ids=["x, y", "x, y, weights"])
def test_all_give_the_same_examples(kind, arrays):
    found = list(zip(*as_batches(kind(*arrays), "data", batch_size=8), strict=True))
    for expected, parts in zip(arrays, found, strict=False):
        np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-6)
    assert found[2][0] is None or len(arrays) == 3


@pytest.mark.filterwarnings("ignore:The best temperature is at the")
def test_functions_of_a_model_take_all(kind):
    made, data = model(), (X, Y, WEIGHTS)
    logits = made.predict(X, verbose=0)
    expected = ls_keras.fit_temperature(Y, logits, from_logits=True, sample_weight=WEIGHTS)
    fit = ls_keras.fit_temperature_dataset(made, kind(*data), from_logits=True)
    assert fit.temperature == pytest.approx(expected.temperature, rel=1e-3)
    curve = temperature_curve(made, kind(*data), [fit.temperature], from_logits=True)
    assert curve.nll[0] == pytest.approx(expected.nll_after, rel=1e-3)
    gamma = ls_keras.equivalent_smoothing(Y, logits, from_logits=True, sample_weight=WEIGHTS)
    of_data = equivalent_smoothing_dataset(made, kind(*data), from_logits=True)
    assert of_data == pytest.approx(gamma, rel=1e-5)


def test_callbacks_take_all(kind, tmp_path):
    made = model()
    callbacks = [
        ls_keras.TemperatureScaling(data, from_logits=True, prefix=prefix)
        for data, prefix in ((kind(X, Y), "this_"), ((X, Y), "arrays_"))
    ]
    probes = [
        ls_keras.MutualInformationProbe(data, (0, 2), keras.layers.GaussianNoise(0.1, seed=1))
        for data in (kind(X, Y), (X, Y))
    ]
    history = made.fit(X, Y, verbose=0, callbacks=[*callbacks, *probes]).history
    for name in ("temperature", "ece_half", "nll_scaled"):
        assert history[f"this_{name}"] == pytest.approx(history[f"arrays_{name}"], rel=1e-4)
    for ours, theirs in zip(*(probe.history for probe in probes), strict=True):
        assert ours["mutual_information"] == pytest.approx(theirs["mutual_information"], rel=1e-4)
    plotter = ls_keras.ProjectionPlotter({"a": kind(X, Y), "b": (X, Y)}, (0, 1, 2))
    plotter.set_model(made)
    found = plotter.project()
    np.testing.assert_allclose(found["a"].coordinates, found["b"].coordinates, rtol=1e-4, atol=1e-6)


def test_teacher_logits_take_all(kind, tmp_path):
    made = model()
    cache = ls_keras.TeacherLogits.compute(
        tmp_path / "cache", made, kind(X, Y), dtype="float32", batch_size=8
    )
    np.testing.assert_allclose(cache.gather(), made.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    again = ls_keras.TeacherLogits.open(tmp_path / "cache", kind(X, Y), made)
    assert len(again) == N


def test_logits_are_not_kept_of_examples_that_come_in_another_order(tmp_path):
    class Turning:
        reads = 0

        def __iter__(self):
            self.reads += 1
            step = 1 if self.reads == 1 else -1
            yield X[::step], Y[::step]

    with pytest.raises(InputError, match="same order each time"):
        ls_keras.TeacherLogits.compute(tmp_path / "cache", model(), Turning())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (X, "an array of shape"),
        (3, "3"),
        ("train", "'train'"),
        ({"x": X}, "{'x'"),
        ((X,), "a tuple of 1"),
        ((X, None), "a tuple of 2"),
        ((X, Y, WEIGHTS, WEIGHTS), "a tuple of 4"),
        ((X, Y[:5]), r"lengths \[5, 22\]"),
        (iter([(X, Y)]), "an iterator"),
    ],
)
def test_what_is_no_data_is_told(data, received):
    with pytest.raises(InputError, match=received) as told:
        as_batches(data, "training data")
    assert "training data" in str(told.value)


@pytest.mark.parametrize(
    ("batches", "received"),
    [([X], "ndarray"), ([(X,)], "tuple of length 1"), ([(X, None)], "tuple of length 2")],
)
def test_batches_without_labels_are_told(batches, received):
    with pytest.raises(InputError, match=received):
        list(as_batches(batches, "data"))


def test_structures_keep_their_form():
    x, y = {"a": X, "b": [X, X]}, (Y, {"c": Y})
    first_x, first_y, _ = next(iter(as_batches((x, y), "data", batch_size=4)))
    assert first_x["a"].shape == first_x["b"][1].shape == (4, K)
    assert first_y[1]["c"].tolist() == [0, 1, 2, 0]


def test_named_tuples_keep_their_form():
    pair = namedtuple("Pair", "left right")
    first, _, _ = next(iter(as_batches((pair(X, X), Y), "data", batch_size=4)))
    assert type(first) is pair
    assert first.right.shape == (4, K)


def test_weights_that_are_none_are_none():
    x, y = np.arange(6).reshape(3, 2), np.arange(3)
    found = list(as_batches((x, y, None), "data", batch_size=2))
    assert [len(batch[1]) for batch in found] == [2, 1]
    assert [batch[2] for batch in found] == [None, None]

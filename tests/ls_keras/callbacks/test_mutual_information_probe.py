import csv
import json

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.callbacks import MutualInformationProbe
from ls_keras.information import mutual_information
from ls_keras.information.augmented_logits import augmented_differences


def make():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(3, name="logits")]
    )
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(24, 4)).astype("float32"), np.arange(24) % 3


def noise():
    return keras.layers.GaussianNoise(0.5, seed=4)


def test_evaluations_before_during_and_after_training(data, tmp_path):
    x, y = data
    model, seen = make(), []

    class After(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["mutual_information"])

    probe = MutualInformationProbe((x, y), (2, 0), noise(), every_steps=2, file=tmp_path / "mi.csv")
    history = model.fit(x, y, batch_size=8, epochs=3, callbacks=[probe, After()], verbose=0).history
    assert [entry["step"] for entry in probe.history] == [0, 2, 4, 6, 8, 9]
    values = [entry["mutual_information"] for entry in probe.history]
    assert history["mutual_information"] == seen
    assert seen == [values[1], values[3], values[4]]  # after 3, 6 and 9 steps
    with (tmp_path / "mi.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mutual_information"]) for row in rows] == values
    assert rows[0]["num_examples"] == "16"
    # The last value is that of the trained model without dropout.
    images = x[(y == 2) | (y == 0)]
    samples = augmented_differences(model.predict_on_batch, images, (2, 0), noise())
    assert values[-1] == pytest.approx(mutual_information(samples).value, rel=1e-4)
    model.fit(x, y, batch_size=8, epochs=1, callbacks=[probe], verbose=0)
    assert [entry["step"] for entry in probe.history[5:]] == [9, 10, 12]


def test_probes_are_repeatable_and_do_not_change_training(data):
    x, y = data
    weights = []
    for probed in (False, True):
        keras.utils.set_random_seed(3)
        # The same layer augments the training data.
        augment, model = noise(), make()
        whole = keras.Sequential([keras.Input((4,)), augment, *model.layers])
        whole.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        probe = MutualInformationProbe((x, y), (0, 1), augment, every_steps=1)
        callbacks = [probe] if probed else []
        whole.fit(x, y, batch_size=12, shuffle=False, callbacks=callbacks, verbose=0)
        weights.append(whole.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [entry["step"] for entry in probe.history] == [0, 1, 2]
    assert probe.measure().value == probe.history[-1]["mutual_information"]


def test_json_file_and_column_labels(data, tmp_path):
    probe = MutualInformationProbe(
        (data[0], data[1][:, None]), (0, 1), noise(), scored="reused", file=tmp_path / "mi.json"
    )
    probe.set_model(make())
    probe.on_train_begin()
    assert json.loads((tmp_path / "mi.json").read_text()) == probe.history
    assert probe.history[0]["scored"] == "reused"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": (0,)}, "two different classes"),
        ({"classes": (1, 1)}, "two different classes"),
        ({"classes": (0, 7)}, "none of 7"),
        ({"data": (np.zeros((24, 4)), np.zeros(5))}, "lengths \\[5, 24\\]"),
        ({"data": (np.zeros((24, 4)), np.zeros((24, 2)))}, "integer labels"),
        ({"data": ({"a": np.zeros((24, 4))}, np.zeros(24))}, "one array of images"),
        ({"augment": None}, "augment"),
        ({"draws": 1}, "draws to be an integer ≥ 2"),
        ({"every": 0}, "every to be"),
        ({"every_steps": 0}, "every_steps to be"),
        ({"batch_size": 0}, "batch_size"),
        ({"scored": "kept"}, "kept"),
        ({"file": "mi.txt"}, "mi.txt"),
    ],
)
def test_wrong_arguments_raise_input_errors(data, change, message):
    arguments = {"data": data, "classes": (0, 1), "augment": noise()}
    with pytest.raises(InputError, match=message):
        MutualInformationProbe(**{**arguments, **change})


@pytest.mark.tensorflow
def test_steps_per_execution(data):
    model = make()
    model.compile(
        "sgd",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=3,
    )
    probe = MutualInformationProbe(data, (0, 1), noise(), every_steps=2)
    model.fit(*data, batch_size=4, epochs=1, callbacks=[probe], verbose=0)
    assert [entry["step"] for entry in probe.history] == [0, 3, 6]


@pytest.mark.parametrize("at_once", [1, 2])
def test_steps_count_updates_with_accumulation_and_executions(data, at_once):
    """Keras reports a shortened last execution as a full one."""
    if at_once > 1 and keras.config.backend() == "torch":
        pytest.skip("PyTorch has one step an execution")
    model = make()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, steps_per_execution=at_once)
    probe = MutualInformationProbe(data, (0, 1), noise(), every_steps=2)
    model.fit(*data, batch_size=5, epochs=1, callbacks=[probe], verbose=0)
    assert [entry["step"] for entry in probe.history] == [0, 2, 4, 5]
    model.fit(*data, batch_size=5, epochs=1, callbacks=[probe], verbose=0)
    steps = [entry["step"] for entry in probe.history]
    # With two at once, after batches 5 + 2 and 5 + 4, which have passed 6 and 8.
    assert steps == [0, 2, 4, 5, *((6, 8) if at_once == 1 else (7, 9)), 10]


def test_accumulated_gradients_are_one_step(data):
    model = make()
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    probe = MutualInformationProbe(data, (0, 1), noise(), every_steps=1)
    for _ in range(2):
        model.fit(*data, batch_size=6, epochs=1, callbacks=[probe], verbose=0)
    assert [entry["step"] for entry in probe.history] == [0, 1, 2, 3, 4]


def test_accumulation_continues_in_the_next_epoch(data):
    """Five batches in each epoch, two for each update."""
    model = make()
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    probe = MutualInformationProbe(data, (0, 1), noise(), every_steps=5)
    size = -(-len(data[1]) // 5)
    model.fit(*data, batch_size=size, epochs=4, callbacks=[probe], verbose=0)
    assert [entry["step"] for entry in probe.history] == [0, 5, 10]


def test_a_model_with_softmax_raises_an_input_error(data):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    probe = MutualInformationProbe(data, (0, 1), noise())
    with pytest.raises(InputError, match="whose output is logits.*softmax"):
        model.fit(*data, epochs=1, callbacks=[probe], verbose=0)

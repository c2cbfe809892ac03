import csv

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.callbacks import ProjectionPlotter
from ls_keras.representation import penultimate, project, template_plane, templates


def make():
    model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(4, name="logits")]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(32, 5)).astype("float32"), np.arange(32) % 4


def test_figures_of_due_epochs(data, tmp_path):
    model = make()
    plotter = ProjectionPlotter(
        {"train": data, "validation": (data[0][:20], data[1][:20])},
        (2, 0, 3),
        every=2,
        directory=tmp_path,
        class_names=["a", "b", "c", "d"],
        batch_size=32,
    )
    model.fit(*data, epochs=3, batch_size=32, callbacks=[plotter], verbose=0)
    assert [f.name for f in plotter.files] == ["projection-0002.png", "projection-0003.png"]
    assert all(f.stat().st_size > 1000 for f in plotter.files)
    rows = list(csv.DictReader((tmp_path / "projection-0003.csv").read_text().splitlines()))
    assert {row["name"] for row in rows} == {"c", "a", "d"}
    assert [row["panel"] for row in rows].count("validation") == 3 + 15
    # The last figure shows the trained model.
    x, y = data
    plane = template_plane(templates(model), (2, 0, 3))
    expected = ops.convert_to_numpy(project(penultimate(model)(x[y == 2]), plane))
    found = plotter.projections["train"]
    drawn = found.coordinates[found.labels == 2]
    np.testing.assert_allclose(np.sort(drawn, 0), np.sort(expected, 0), rtol=1e-4, atol=1e-5)


def test_plotting_does_not_change_training(data, tmp_path):
    weights = []
    for callbacks in ([], [ProjectionPlotter(data, (0, 1, 2), directory=tmp_path, batch_size=32)]):
        keras.utils.set_random_seed(3)
        model = make()
        model.fit(*data, batch_size=32, shuffle=False, callbacks=callbacks, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": (0, 1)}, "three different classes"),
        ({"classes": (0, 1, 1)}, "three different classes"),
        ({"every": 0}, "every"),
        ({"per_class": 0}, "per_class"),
        ({"data": (np.zeros((3, 5)), np.zeros(4))}, "one length"),
        ({"data": np.zeros((3, 5))}, "Received: an array"),
        ({"data": {"train": 3}}, "'train'.*Received: 3"),
        ({"data": {}}, "none"),
        ({"data": {0.1: (np.zeros((3, 5)), np.zeros(3))}}, "names that are strings.* 0.1"),
    ],
)
def test_wrong_arguments_raise_input_errors(data, change, message):
    with pytest.raises(InputError, match=message):
        ProjectionPlotter(**{"data": data, "classes": (0, 1, 2), **change})


def test_a_class_without_examples_raises_an_input_error(data):
    plotter = ProjectionPlotter((data[0], data[1] % 2), (0, 1, 2), batch_size=32)
    plotter.set_model(make())
    with pytest.raises(InputError, match="none of class '2'"):
        plotter.project()


def test_models_without_templates_raise_before_training(data):
    class Noticed(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            pytest.fail("a step was made")

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.ReLU()])
    for made, classes in ((model, (0, 1, 2)), (make(), (0, 1, 4))):
        made.compile("sgd", "mse")
        with pytest.raises(InputError, match="Received"):
            made.fit(
                data[0],
                np.eye(4)[data[1]],
                callbacks=[Noticed(), ProjectionPlotter(data, classes, every=9)],
                verbose=0,
            )


def test_equal_templates_are_skipped_until_they_differ(data, tmp_path):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, kernel_initializer="zeros")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss)
    plotter = ProjectionPlotter(data, (0, 1, 2), directory=tmp_path, batch_size=32)
    model.fit(*data, epochs=1, batch_size=8, callbacks=[plotter], verbose=0)
    assert len(plotter.files) == 1


def test_labels_by_output(data, tmp_path):
    inputs = keras.Input((5,))
    h = keras.layers.Dense(6)(inputs)
    heads = {name: keras.layers.Dense(4, name=name)(h) for name in ("kind", "domain")}
    model = keras.Model(inputs, heads)
    x, y = data
    found = []
    for labels in (y, {"kind": y, "domain": y[::-1].copy()}):
        plotter = ProjectionPlotter((x, labels), (0, 1, 2), batch_size=32, output="kind")
        plotter.set_model(model)
        found.append(plotter.project()[""].coordinates)
    np.testing.assert_array_equal(*found)

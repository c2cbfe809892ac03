import inspect
import json

import keras
import numpy as np
import pytest

from copies import same_config
from ls_base.errors import InputError
from ls_keras import losses
from ls_keras.inputs.registry import LOSSES as REGISTRY
from ls_keras.losses import SmoothedCE, Smoothing, Uniform, Unigram, deserialize, get, serialize

NEEDED = {"unigram": {"counts": [1, 2]}, "prior": {"probabilities": [0.5, 0.5]}}
NAMES = REGISTRY.entries
LOSSES = [name for name in NAMES if issubclass(type(get(name, **NEEDED.get(name, {}))), keras.Loss)]
X, Y = np.eye(3, dtype="float32"), np.array([0, 1, 2])


def compiled(loss):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", loss=loss)
    return model


def test_the_table_has_every_public_loss_and_smoothing():
    public = {
        value
        for value in vars(losses).values()
        if inspect.isclass(value) and issubclass(value, keras.losses.Loss | Smoothing)
    }
    assert {made for made in NAMES.values() if inspect.isclass(made)} == public - {Smoothing}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_for_what_the_table_says(name):
    found = get(name, **NEEDED.get(name, {}))
    assert found is NAMES[name] or type(found) is NAMES[name]
    assert get(found) is found
    if isinstance(found, keras.losses.Loss):
        assert found.name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_is_read_back(name):
    found = get(name, **NEEDED.get(name, {}))
    config = json.loads(json.dumps(serialize(found)))
    for again in (get(config), deserialize(config), keras.saving.deserialize_keras_object(config)):
        assert again is found or type(again) is type(found)
        assert again is found or same_config(again, found)


def test_options_are_arguments():
    loss = get("smoothed_ce", alpha=0.3, smoothing="neighborhood", from_logits=True)
    assert same_config(loss, SmoothedCE(0.3, smoothing="neighborhood", from_logits=True))
    assert get("uniform", exclude=[0]) == Uniform(exclude=[0])
    assert get("unigram", counts=[3, 1]) == Unigram([3, 1])


@pytest.mark.parametrize(
    ("identifier", "options", "message"),
    [
        ("smoothed_cee", {}, "name of a loss or smoothing. Near matches: smoothed_ce"),
        ("MaxSup", {}, "Near matches: max_sup. Received: 'MaxSup'"),
        (
            "sparse_categorical_hinge_zzz",
            {},
            "Known: .*smoothed_ce, .*, max_sup, .* Received: 'sparse",
        ),
        ("unigram", {}, r"options of Unigram\(counts, .*'counts'. Received: none"),
        ("max_sup", {"beta": 1}, r"options of MaxSup\(alpha, .*'beta'. Received: beta"),
        ("smoothed_cross_entropy", {"alpha": 1}, "options only with the name of a class"),
        (Uniform(), {"exclude": [0]}, "options only with the name of a class.* with exclude"),
        (None, {}, "Expected a loss or smoothing"),
        (3, {}, "Expected a loss or smoothing"),
        (Uniform, {}, "Expected a loss or smoothing"),
        ({"class_name": "Nothing"}, {}, "Expected a loss or smoothing"),
    ],
)
def test_what_is_nothing_is_told(identifier, options, message):
    with pytest.raises(InputError, match=message):
        get(identifier, **options)


def test_only_losses_and_smoothings_have_configurations():
    optimizer = keras.optimizers.SGD()
    for wrong in (optimizer, lambda y, p: 0, Uniform, "smoothed_ce"):
        with pytest.raises(InputError, match="Expected a loss or smoothing, or a registered"):
            serialize(wrong)
    with pytest.raises(InputError, match="Expected a loss or smoothing"):
        deserialize(keras.saving.serialize_keras_object(optimizer))


@pytest.mark.parametrize("name", [*LOSSES, "smoothed_cross_entropy"])
def test_comes_into_compile(name):
    y = X if name == "smoothed_bce" else Y  # a label for each output
    expected = compiled(NAMES[name] if name not in LOSSES else NAMES[name]()).evaluate(
        X, y, verbose=0
    )
    model = compiled(get(name))
    config = keras.losses.serialize(get(name))
    assert model.evaluate(X, y, verbose=0) == pytest.approx(expected)
    assert compiled(get(config)).evaluate(X, y, verbose=0) == pytest.approx(expected)
    model.compile_from_config({"optimizer": "sgd", "loss": config})
    assert model.evaluate(X, y, verbose=0) == pytest.approx(expected)


def test_keras_takes_a_dictionary_in_compile_for_losses_by_output():
    # Its own configurations, too: the reason why `get` has to be called.
    config = keras.losses.serialize(keras.losses.SparseCategoricalCrossentropy())
    model = compiled(config)
    with pytest.raises((TypeError, KeyError, ValueError)):
        model.evaluate(X, Y, verbose=0)

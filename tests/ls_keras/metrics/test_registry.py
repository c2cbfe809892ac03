import inspect
import json

import keras
import numpy as np
import pytest

from copies import same_config
from ls_base.errors import InputError
from ls_keras import SmoothedCE, metrics
from ls_keras.inputs.registry import METRICS
from ls_keras.metrics import ExpectedCalibrationError, get

NAMES = METRICS.entries


def test_the_table_has_every_public_metric():
    public = {
        value
        for value in vars(metrics).values()
        if inspect.isclass(value) and issubclass(value, keras.metrics.Metric)
    }
    assert set(NAMES.values()) == public


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_for_what_the_table_says(name):
    found = get(name, from_logits=True)
    assert type(found) is NAMES[name]
    assert found.name == name
    assert found.from_logits
    assert get(found) is found
    again = get(json.loads(json.dumps(keras.metrics.serialize(found))))
    assert type(again) is type(found)
    assert same_config(again, found)


def test_comes_into_compile():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    config = keras.metrics.serialize(ExpectedCalibrationError(5, from_logits=True, name="five"))
    model.compile(
        loss=SmoothedCE(from_logits=True), metrics=[get("nll", from_logits=True), get(config)]
    )
    found = model.evaluate(np.eye(3), np.arange(3), verbose=0, return_dict=True)
    assert set(found) == {"loss", "nll", "five"}


@pytest.mark.parametrize(
    ("identifier", "options", "message"),
    [
        ("eces", {}, "name of a metric. Near matches: ece. Received: 'eces'"),
        ("smoothed_ce", {}, "name of a metric"),
        ("nll", {"num_bins": 3}, "options of NegativeLogLikelihood"),
        (None, {}, "Expected a metric"),
        (SmoothedCE(), {}, "Expected a metric"),
    ],
)
def test_what_is_nothing_is_told(identifier, options, message):
    with pytest.raises(InputError, match=message):
        get(identifier, **options)

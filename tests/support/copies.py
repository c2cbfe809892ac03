"""Every way to copy an object of Keras."""

import copy
import json
import pickle

import keras

# What holds on to the state of a metric, or to the weights of a layer.
WHOLE = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
}
# What makes a new one of the same configuration.
NEW = {
    "from_config": lambda thing: type(thing).from_config(thing.get_config()),
    "json": lambda thing: keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(thing)))
    ),
}


def same_config(one, other) -> bool:
    """Returns whether two configurations are the same as JSON holds them."""
    return json.dumps(one.get_config()) == json.dumps(other.get_config())

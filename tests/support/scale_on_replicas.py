"""Trains with `TemperatureScaling`, mirrored on two logical CPUs and on one; prints both histories.

In a process of its own, as `train_on_replicas.py` is, and for the same reason.
"""

import json

import keras
import numpy as np
import tensorflow as tf

from ls_keras.callbacks import TemperatureScaling

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def history(strategy) -> dict[str, list[float]]:
    """Returns what `fit` logs: 3 epochs, with arrays and with a data set to fit T on."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 3)).astype(np.float32)
    y = (x @ rng.standard_normal((3, 4)) * 3 + rng.gumbel(size=(90, 4))).argmax(-1)
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(4, kernel_initializer="ones", name="logits")]
        )
        model.compile(
            keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
    callbacks = [
        TemperatureScaling(
            (x, y), batch_size=32, from_logits=True
        ),  # the last batch has 26 examples
        TemperatureScaling(
            tf.data.Dataset.from_tensor_slices((x, y)).batch(31), prefix="set_", from_logits=True
        ),
    ]
    fit = model.fit(x, y, batch_size=30, epochs=3, shuffle=False, callbacks=callbacks, verbose=0)
    return fit.history


cpus = [f"CPU:{i}" for i in range(2)]
print(
    json.dumps(
        {
            "mirrored": history(tf.distribute.MirroredStrategy(cpus)),
            "single": history(tf.distribute.OneDeviceStrategy(cpus[0])),
        }
    )
)

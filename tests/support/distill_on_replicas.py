"""Distills, mirrored on two logical CPUs and on one; prints both students and their losses.

In a process of its own, as `train_on_replicas.py` is, and for the same reason.
"""

import json

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ls_keras import Distiller

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
N, FEATURES, K = 8, 4, 3


def taught(strategy) -> list[list]:
    """Returns the student's weights and the losses of 2 epochs under a teacher in the graph."""
    x = np.random.default_rng(0).normal(size=(N, FEATURES)).astype("float32")
    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = keras.Input((FEATURES,))
        student = keras.Model(inputs, layers.Dense(K, name="logits")(inputs))
        # Dropout and moving averages would change it, if it were in training mode.
        h = layers.BatchNormalization()(layers.Dropout(0.9)(inputs))
        teacher = keras.Model(inputs, layers.Dense(K, activity_regularizer="l2")(h))
        distiller = Distiller(student, teacher, beta=0.5, teacher_temperature=2.0)
        distiller.compile(keras.optimizers.SGD(0.5), jit_compile=False)
    fit = distiller.fit(x, np.arange(N) % K, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return [*(w.tolist() for w in student.get_weights()), fit.history["loss"]]


cpus = [f"CPU:{i}" for i in range(2)]
print(
    json.dumps(
        {
            "mirrored": taught(tf.distribute.MirroredStrategy(cpus)),
            "single": taught(tf.distribute.OneDeviceStrategy(cpus[0])),
        }
    )
)

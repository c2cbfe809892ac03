"""Trains with `AlphaSchedule` on two logical CPUs and on one; prints `same` if they agree.

In a process of its own, as `train_on_replicas.py` is, and for the same reason.
"""

import keras
import numpy as np
import tensorflow as tf

from ls_keras import AlphaSchedule, SmoothedCE

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def trained(strategy) -> tuple[list[np.ndarray], list[float]]:
    """Returns the weights after 8 steps whose α rises, and what each replica then has for it."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((32, 3)).astype(np.float32), rng.integers(0, 4, 32)
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(4, kernel_initializer="ones")]
        )
        model.compile(keras.optimizers.SGD(0.5), SmoothedCE(0.1, from_logits=True))
    rising = AlphaSchedule(lambda step: 0.1 * step)
    model.fit(x, y, 8, epochs=2, shuffle=False, callbacks=[rising], verbose=0)
    alpha = strategy.experimental_local_results(model.loss.alpha.value)
    return model.get_weights(), [float(one) for one in alpha]


cpus = [f"CPU:{i}" for i in range(2)]
single, one = trained(tf.distribute.OneDeviceStrategy(cpus[0]))
mirrored, two = trained(tf.distribute.MirroredStrategy(cpus))
np.testing.assert_allclose(one, [0.7], rtol=1e-6)
np.testing.assert_allclose(two, [0.7, 0.7], rtol=1e-6)
for found, expected in zip(mirrored, single, strict=True):
    np.testing.assert_allclose(found, expected, atol=1e-6)
print("same")

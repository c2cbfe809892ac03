"""The mend that lets `fit` and `evaluate` run on several workers of TensorFlow's.

Keras 3 fails with `MultiWorkerMirroredStrategy` in two places (keras#20585, open): it averages the
first batch over replicas to learn its shapes, which a worker can't with what others have; and it
averages logs over an axis that they, being scalars, don't have. Here the first batch is this
worker's, and logs get such an axis. `tests/engine/lsk_engine/devices/test_keras_issue_20585.py`
fails once Keras no longer needs it.
"""

import keras

from ls_keras.backend.keras_internals import build_from_batch


def mend(model: keras.Model) -> None:
    """Mends a compiled model, under the strategy of several workers.

    Args:
        model: A model, its steps as they are to be.
    """
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()

    def with_axis(step):
        def stepped(data):
            logs = step(data)
            return keras.tree.map_structure(lambda value: keras.ops.expand_dims(value, 0), logs)

        return stepped

    def build(iterator=None, data_batch=None):
        if iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = keras.tree.map_structure(
                lambda value: strategy.experimental_local_results(value)[0], next(batches)
            )
        with strategy.scope():
            build_from_batch(model, data_batch)

    model.train_step = with_axis(model.train_step)
    model.test_step = with_axis(model.test_step)
    model._maybe_symbolic_build = build

"""Replicas that a strategy keeps in step: how many, and what has to know of them."""

import keras
import numpy as np


def num_replicas() -> int:
    """Returns how many replicas the present strategy keeps in step; 1 where there is none."""
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(gradients: list) -> list:
    """Returns the sums over the replicas; to be called in a replica, of several."""
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce("SUM", gradients)


def assign_sum(variable, value: np.ndarray) -> None:
    """Assigns a metric's variable, of which each replica holds a summand."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        parts = tf.distribute.get_strategy().experimental_local_results(variable.value)
        if len(parts) > 1:  # a plain assign would divide by the replicas, integers with a rest
            parts[0].assign(value)
            for part in parts[1:]:
                part.assign(np.zeros_like(value))
            return
    variable.assign(value)

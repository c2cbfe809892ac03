"""Telling whether XLA will compile the code that is running."""

import keras


def compiled_by_xla() -> bool:
    """Returns whether the current code is traced for XLA (or is best treated so).

    JAX compiles everything that is jitted by XLA, so it counts as XLA also in eager use. In
    TensorFlow, `tf.function(jit_compile=True)` (Keras's `model.jit_compile` is one) and a TPU
    replica trace inside an XLA control-flow context, which nested functions inherit. Clustering by
    environment flags (`TF_XLA_FLAGS`) happens after tracing and cannot be seen from here.
    """
    backend = keras.config.backend()
    if backend != "tensorflow":
        return backend == "jax"
    # Keras and TensorFlow have no public form of this question.
    from tensorflow.python.framework import ops as tf_ops
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf_ops.get_default_graph())

"""The largest tensor that a function and its gradient make, on the backend in use."""

import keras
import numpy as np
from keras import ops

from gradient import gradient


def largest_tensor(function, z) -> int:
    """Returns the elements of the largest tensor on the way to a scalar and its gradient."""
    return _LARGEST[keras.config.backend()](function, z)


def _tensorflow(function, z) -> int:
    from tensorflow.python.framework import op_callbacks

    largest = []

    def see(op_type, inputs, attributes, outputs, *others):
        largest.extend(int(np.prod(x.shape)) for x in outputs)

    op_callbacks.add_op_callback(see)
    try:
        gradient(function, z)
    finally:
        op_callbacks.remove_op_callback(see)
    return max(largest)


def _jax(function, z) -> int:
    import jax
    from jax.extend.core import jaxprs_in_params

    def sizes(jaxpr):
        for equation in jaxpr.eqns:
            yield from (int(np.prod(x.aval.shape)) for x in equation.outvars)
            for inner in jaxprs_in_params(equation.params):
                yield from sizes(inner)

    return max(sizes(jax.make_jaxpr(jax.grad(function))(ops.convert_to_tensor(z)).jaxpr))


def _torch(function, z) -> int:
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = []

    class Watched(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            found = operation(*args, **(kwargs or {}))
            several = found if isinstance(found, tuple | list) else (found,)
            largest.extend(x.numel() for x in several if hasattr(x, "numel"))
            return found

    with Watched():
        gradient(function, z)
    return max(largest)


_LARGEST = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}

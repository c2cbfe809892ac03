import keras
import numpy as np
import pytest
from keras import ops

from ls_keras.decoding import compiled

# Raised by PyTorch's conversion to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
BACKEND = keras.config.backend()


@pytest.mark.parametrize("jit_compile", [False, True] if BACKEND == "tensorflow" else [False])
def test_each_shape_is_traced_once_and_new_weights_are_used(jit_compile):
    layer = keras.layers.Dense(2, use_bias=False)
    layer.build((None, 3))
    traces = []

    def counted(x, scale):
        traces.append(tuple(x["in"].shape))
        return {"y": layer(x["in"]) * scale}

    run = compiled(counted, variables=layer.variables, jit_compile=jit_compile)
    x = np.arange(6, dtype="float32").reshape(2, 3)
    for scale in (1.0, 2.0, 0.5):
        kernel = np.full((3, 2), scale, "float32")
        layer.kernel.assign(kernel)
        found = ops.convert_to_numpy(run({"in": x}, scale)["y"])
        np.testing.assert_allclose(found, x @ kernel * scale, rtol=1e-6)
    assert len(traces) == (3 if BACKEND == "torch" else 1)


def test_the_function_keeps_its_name():
    def decode(x):
        return x

    assert compiled(decode).__name__ == "decode"

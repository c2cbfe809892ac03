"""Tensors of the current backend: conversion, tracing, masks, and what Keras notes on them.

Like `keras_internals`, this module reads private names of Keras and of the frameworks;
`tests/ls_keras/backend/test_keras_internals.py` names those that a new version has changed.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.backend.common.masking import get_keras_mask
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.losses.loss import reduce_weighted_values

from ls_keras.errors import InputError, shown

SOFTMAX, SIGMOID = "softmax", "sigmoid"


def as_tensor(value, name: str):
    """Returns a tensor of numbers or Booleans.

    Args:
        value: A tensor of the backend, a Keras or TensorFlow variable (its current value is read),
            an array, or nested lists of numbers.
        name: The argument's name, for the message.

    Raises:
        InputError: If it is none of these: strings, objects, complex numbers, lists of different
            lengths, mappings, sparse, ragged or symbolic tensors, `None`.
    """
    if isinstance(value, keras.KerasTensor):
        raise _not_numeric(value, name)
    if not _is_backend_tensor(value):
        array = _as_numeric(value, name)
        if array is not None:
            if array.dtype == np.float64 and not hasattr(value, "dtype"):
                array = array.astype(keras.config.floatx())  # as Keras converts Python's floats
            return ops.convert_to_tensor(array)
    try:
        tensor = tensor_of(value)
        dtype = keras.backend.standardize_dtype(tensor.dtype)
    except Exception as error:  # each backend has its own error for what it can't convert
        raise _not_numeric(value, name) from error
    ragged = hasattr(tensor, "row_splits")
    if not ragged and (dtype == "bool" or "int" in dtype or "float" in dtype):
        return tensor
    raise _not_numeric(value, name)


def as_array(value, name: str) -> np.ndarray:
    """Returns a NumPy array of numbers or Booleans, without a copy where memory can be shared.

    Args:
        value: As for `as_tensor`.
        name: The argument's name, for the message.

    Raises:
        InputError: As `as_tensor`.
    """
    if isinstance(value, np.ndarray):
        return _check_numeric(value, value, name)
    if _is_backend_tensor(value):
        try:
            value = ops.convert_to_numpy(as_tensor(value, name))
        except InputError:
            raise
        except Exception as error:  # a tensor that is only being traced
            raise _not_numeric(value, name) from error
        return np.asarray(value)
    array = None if isinstance(value, keras.KerasTensor) else _as_numeric(value, name)
    if array is None:
        raise _not_numeric(value, name)
    return array


def tensor_of(value):
    """Returns a tensor; of a variable, its current value.

    `ops.convert_to_tensor` returns variables unchanged, which have no place in TensorFlow's graph.

    Args:
        value: A tensor or variable of Keras or the backend, or anything that NumPy converts.
    """
    value = ops.convert_to_tensor(value.value if isinstance(value, keras.Variable) else value)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        if isinstance(value, tf.Variable):
            return tf.convert_to_tensor(value)
    return value


def to_numpy_or_none(value) -> np.ndarray | None:
    """Returns `value` as a NumPy array, or `None` while a graph is being traced.

    Checks that depend on values (labels out of range, NaN) run where this returns an array: in
    eager use, and in every step of PyTorch that is not compiled.

    Args:
        value: A tensor of the current backend, a NumPy array, or anything that NumPy converts.
    """
    if isinstance(value, np.ndarray):
        return value
    if is_tracing(value):
        return None
    return np.asarray(ops.convert_to_numpy(value))


def is_tracing(value) -> bool:
    """Returns whether a tensor has no value (yet), because a graph or its shapes are computed."""
    if isinstance(value, keras.KerasTensor) or in_shape_inference():
        return True  # on PyTorch, Keras infers shapes with real tensors of meaningless values
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # Constants that a graph captures have a value; what the graph computes of them has none.
        is_tensor = tf.is_tensor(value) or isinstance(value, (tf.Variable, keras.Variable))
        return is_tensor and not tf.executing_eagerly()
    if backend == "jax":
        import jax

        return isinstance(value, jax.core.Tracer)
    if backend == "torch":
        import torch

        return torch.compiler.is_compiling() or is_transformed(value)
    return False


def in_shape_inference() -> bool:
    """Returns whether Keras is computing shapes only, with meaningless values.

    Private in Keras, as `keras.SymbolicScope` can be entered but not queried.
    """
    return in_symbolic_scope()


def is_transformed(tensor) -> bool:
    """Returns whether PyTorch's `torch.func` hides the values of a tensor.

    Private in PyTorch. A tensor from outside is wrapped by an operation inside, hence `detach`.
    """
    import torch

    try:
        return torch._C._functorch.is_functorch_wrapped_tensor(tensor.detach())
    except (AttributeError, TypeError):  # not a tensor
        return False


def compiled_by_xla() -> bool:
    """Returns whether the current code is traced for XLA (or is best treated so).

    JAX compiles everything that is jitted by XLA, so it counts as XLA also in eager use. In
    TensorFlow, `tf.function(jit_compile=True)` (as Keras's `jit_compile=True`) and a TPU replica
    trace inside an XLA control-flow context, which nested functions inherit. Clustering by
    environment flags (`TF_XLA_FLAGS`) happens after tracing and cannot be detected here.
    """
    backend = keras.config.backend()
    if backend != "tensorflow":
        return backend == "jax"
    # Neither Keras nor TensorFlow has a public function for this.
    from tensorflow.python.framework import ops as tf_ops
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf_ops.get_default_graph())


def mask_of(tensor) -> Any | None:
    """Returns the mask that Keras's layers attached to a tensor, or `None`.

    Private in Keras, which reads masks in `Loss.__call__` and in compiled metrics only.
    """
    return get_keras_mask(tensor)


def reduce_losses(losses, *, sample_weight=None, mask=None, reduction: str | None, dtype=None):
    """Returns losses `(...)` weighted and reduced as Keras's losses reduce theirs.

    Private in Keras: it is the end of `Loss.__call__`, whose first lines cast integer labels to the
    loss's dtype.

    Args:
        losses: Tensor `(...)`. Summed in its dtype, in float32 or better.
        sample_weight: Tensor `(...)`, or of its leading axes, or `None`.
        mask: Boolean tensor `(...)`, or `None`.
        reduction: As in Keras's losses.
        dtype: Of the result. Default: that of `losses`.
    """
    dtype = dtype or losses.dtype
    # A sum in float16 ends at 65,504, and so does its mean.
    wide = keras.backend.result_type(losses.dtype, dtype, "float32")
    losses = ops.cast(losses, wide)
    if reduction not in (None, "none") and tuple(losses.shape) == (0,):
        losses, sample_weight, mask = losses[None], None, None  # Keras reduces `(0,)` to `(0,)`
    if sample_weight is not None:
        sample_weight = ops.cast(ops.convert_to_tensor(sample_weight), wide)
        while len(sample_weight.shape) < len(losses.shape):
            sample_weight = ops.expand_dims(sample_weight, axis=-1)
        if mask is not None:
            # Keras multiplies the mask into the weights in place. On PyTorch that requires the
            # full shape, and would change the caller's tensor, which weighted metrics read next.
            if len(sample_weight.shape) == len(losses.shape):
                sample_weight = ops.broadcast_to(sample_weight, ops.shape(losses))
            sample_weight = ops.copy(sample_weight)
    total = reduce_weighted_values(
        losses, sample_weight=sample_weight, mask=mask, reduction=reduction, dtype=wide
    )
    return ops.cast(total, dtype)


def find_output_activation(tensor) -> tuple[str | None, Any]:
    """Finds a softmax over the last axis, or a sigmoid, that produced a tensor.

    Private, as Keras notes the logits on the tensor (`_keras_logits`) for its own losses; JAX's
    arrays take no notes. Keras's sigmoid leaves the same note, so in eager use the function that
    matches the values is taken. In TensorFlow's graph the producing operation is read.

    Args:
        tensor: A tensor of the current backend, `(..., K)`.

    Returns:
        `SOFTMAX`, `SIGMOID` or `None`, and the logits.
    """
    if keras.config.backend() == "tensorflow" and not hasattr(tensor, "numpy"):
        operation: Any = getattr(tensor, "op", None)
        stopped = False
        while operation is not None and operation.type in ("Cast", "Identity", "StopGradient"):
            stopped |= operation.type == "StopGradient"
            operation = operation.inputs[0].op
        kind = {"Softmax": SOFTMAX, "Sigmoid": SIGMOID}.get(getattr(operation, "type", ""))
        if kind is None:
            return None, None
        logits = ops.cast(operation.inputs[0], tensor.dtype)
        return kind, ops.stop_gradient(logits) if stopped else logits
    logits = getattr(tensor, "_keras_logits", None)
    if logits is None:
        return None, None
    if getattr(tensor, "grad_fn", None) is not None:  # PyTorch: no need to compute it again
        last = (len(tensor.shape) - 1, -1 % 2**64)
        made = tensor.grad_fn
        if made.name() == "SoftmaxBackward0":
            return (SOFTMAX, logits) if made._saved_dim in last else (None, None)
        return (SIGMOID, logits) if made.name() == "SigmoidBackward0" else (None, None)
    for kind, activation in ((SIGMOID, ops.sigmoid), (SOFTMAX, ops.softmax)):
        if bool(ops.all(ops.equal(activation(logits), tensor))):
            return kind, logits
    return None, None


def recover_logits(y_pred, from_logits: bool, axis: int = -1, *, multi_label: bool = False):
    """Returns the logits of a softmax or sigmoid output, where Keras or the graph kept them.

    The logarithm of a softmax loses digits that the logits have, so Keras's losses do the same.

    Args:
        y_pred: A tensor.
        from_logits: Whether it holds logits.
        axis: The axis of the classes.
        multi_label: Whether each entry is the output of a sigmoid.

    Returns:
        Logits and `True`, or the arguments `y_pred, from_logits`.
    """
    rank = len(y_pred.shape)
    if not rank or isinstance(y_pred, keras.KerasTensor):
        return y_pred, from_logits
    kind, logits = find_output_activation(y_pred)
    found = kind == SIGMOID if multi_label else kind == SOFTMAX and axis % rank == rank - 1
    return (logits, True) if found else (y_pred, from_logits)


_LINEAR = {"MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv1D", "Conv2D", "Conv3D"}
_PASSED = {"Cast", "Identity", "Reshape", "ExpandDims", "Squeeze"}


def is_linear_output(tensor) -> bool:
    """Returns whether a tensor of TensorFlow's graph is the output of a linear layer with a bias.

    Elsewhere, and in eager use, `False`.
    """

    def origin(tensor):
        while tensor.op.type in _PASSED:
            tensor = tensor.op.inputs[0]
        return tensor.op

    if (
        keras.config.backend() != "tensorflow"
        or hasattr(tensor, "numpy")
        or not hasattr(tensor, "op")
    ):
        return False
    operation = origin(tensor)
    if operation.type not in ("AddV2", "BiasAdd"):
        return False
    product, bias = (origin(entry).type for entry in operation.inputs)
    return product in _LINEAR and bias == "ReadVariableOp"


def _is_backend_tensor(value) -> bool:
    if isinstance(value, keras.Variable) or ops.is_tensor(value):
        return True
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return isinstance(value, tf.Variable)
    return False


def _as_numeric(value, name: str) -> np.ndarray | None:
    """Returns NumPy's conversion of a value, `None` if it contains tensors that are traced."""
    if value is None or isinstance(value, str | bytes | dict | set):
        raise _not_numeric(value, name)
    if hasattr(value, "detach"):  # PyTorch's tensors on another backend
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, MemoryError) as error:  # ragged or huge
        raise _not_numeric(value, name) from error
    except Exception:  # traced tensors refuse with errors of their own
        return None
    return _check_numeric(array, value, name)


def _check_numeric(array: np.ndarray, value, name: str) -> np.ndarray:
    # bfloat16 and float8 of ml_dtypes have the kind V.
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)  # no backend has NumPy's long double
    if array.dtype.kind in "biuf" or "float" in array.dtype.name:
        return array
    raise _not_numeric(value, name)


def _not_numeric(value: Any, name: str) -> InputError:
    return InputError(
        f"Expected {name} to be a tensor or array of real numbers, all rows of one length. "
        f"Received: {shown(value)}"
    )

"""Tensors with a Keras mask, as layers hand them on."""

import keras
from keras import ops


class _Masking(keras.layers.Layer):
    def __init__(self, mask):
        super().__init__(autocast=False)
        self.mask = mask
        self.supports_masking = True

    def call(self, inputs):
        return inputs

    def compute_mask(self, inputs, previous_mask):
        return ops.convert_to_tensor(self.mask)


def masked(values, mask):
    """Returns `values` as a tensor with `mask`, as what a layer puts out."""
    return _Masking(mask)(ops.convert_to_tensor(values))

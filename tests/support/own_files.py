"""A model and data of a user's own, as files: written in a moment, trained in one."""

import numpy as np

MODEL = """
import keras

@keras.saving.register_keras_serializable(package="own_files")
class Halve(keras.layers.Layer):
    def call(self, inputs):
        return inputs / 2.0

def build_model():
    model = keras.Sequential([
        keras.Input((4,)),
        Halve(),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(3, activation="softmax", name="classes"),
    ])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model
"""


def points(n=90, seed=0):
    """Returns points and labels that a small network can classify."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    y = np.concatenate([np.arange(3), x[3:, :3].argmax(-1)])
    return x, y


def write_model(folder, content=MODEL):
    """Writes the model's file, and returns what names the function in it."""
    file = folder / "model.py"
    file.write_text(content)
    return f"{file}:build_model"


def write_data(folder, n=90):
    """Writes the data's file without splits of their own, and returns its path."""
    x, y = points(n)
    np.savez(folder / "points.npz", x_train=x, y_train=y)
    return str(folder / "points.npz")

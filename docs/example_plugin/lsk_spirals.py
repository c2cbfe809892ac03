"""Classifies points on two spirals: a minimal task for ls-keras."""

import dataclasses
from typing import ClassVar

import numpy as np

from lsk_engine import Examples, InputError, Preset, Scores, Task, TaskData


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The points; `noise` is the standard deviation of their coordinates."""

    source: str = "spirals"
    points: int = 2000
    turns: float = 1.5
    noise: float = 0.05
    split_seed: int = 0

    def __post_init__(self):
        if self.source != "spirals":
            raise InputError(f"Expected data.source to be spirals. Received: {self.source!r}")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A multilayer perceptron."""

    layers: int = 2
    width: int = 64


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """Nothing to choose: the most probable class."""


class Points(Examples):
    """Points `(n, 2)` of one split with their labels `(n,)`."""

    def __init__(self, config: DataConfig, count: int, seed: list[int]):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 2, count)
        radius = np.sqrt(rng.uniform(0.01, 1, count))
        angle = 2 * np.pi * config.turns * radius + np.pi * self.labels
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        noise = rng.normal(0, config.noise, (count, 2))
        self.points = (radius[:, None] * circle + noise).astype("float32")
        self.references = self.labels.tolist()

    def __len__(self):
        """Returns the number of points."""
        return len(self.labels)

    def gather(self, rows, size):
        """Returns the points `rows`; all have one shape, so `size` is `None`."""
        return {"point": self.points[rows]}, self.labels[rows]


class SpiralsTask(Task):
    """Classifies points on two spirals."""

    name = "spirals"
    summary = "Classify points on two spirals with a multilayer perceptron"
    data_config, model_config, decoding_config = DataConfig, ModelConfig, DecodingConfig
    presets = (
        Preset(
            name="small",
            purpose="The default: 2,000 noisy points",
            expected="10 seconds on 2 cores; test error below 2 %",
            settings={"training.epochs": 20, "optimizer.learning_rate": 1e-2},
        ),
    )
    models: ClassVar = {"mlp": "dense layers with ReLU"}
    data_sources: ClassVar = {"spirals": "drawn on the spot"}

    def load_data(self, config, artifacts=None):
        """Draws the three splits."""
        options = config.data
        sizes = {"train": options.points, "validation": 500, "test": 500}
        splits = {
            name: Points(options, count, [options.split_seed, number])
            for number, (name, count) in enumerate(sizes.items())
        }
        return TaskData(
            splits=splits,
            num_classes=2,
            ignore_class=None,
            class_names=("first", "second"),
            class_counts=np.bincount(splits["train"].labels, minlength=2),
            notes=("the points are synthetic",),
        )

    def build_model(self, config, data):
        """Builds the perceptron; its last layer is `logits`, in float32."""
        import keras

        point = keras.Input((2,), name="point")
        x = point
        for _ in range(config.model.layers):
            x = keras.layers.Dense(config.model.width, activation="relu")(x)
        logits = keras.layers.Dense(data.num_classes, name="logits", dtype="float32")(x)
        return keras.Model({"point": point}, logits)

    def decode(self, model, examples, config, data, progress):
        """Returns the most probable class of each point."""
        inputs, _ = examples.gather(np.arange(len(examples)), None)
        progress(len(examples), len(examples))
        return np.asarray(model.predict(inputs, verbose=0)).argmax(-1).tolist()

    def score(self, examples, outputs):
        """Computes the error rate in percent; less is better."""
        wrong = np.not_equal(outputs, examples.references)
        return Scores(
            {"error_rate": 100 * float(wrong.mean())},
            {"error_rate": "error rate (%)"},
            better={"error_rate": "less"},
            bounds={"error_rate": (0.0, 100.0)},
        )

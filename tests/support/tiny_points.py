"""A task that trains in a second, with one label an example and a random augmentation."""

import dataclasses

import numpy as np

from lsk_engine.settings.config import Preset
from lsk_engine.tasks.contract import Examples, Scores, Task, TaskData

NAMES = ("red", "green", "blue", "grey")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    source: str = "points"
    noise: float = 0.5


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    width: int = 8


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    pass


class Points(Examples):
    def __init__(self, n: int, seed: int):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, len(NAMES), n).astype(np.int32)
        self.points = (3 * np.eye(6)[self.labels] + rng.normal(size=(n, 6))).astype(np.float32)
        self.references = self.labels.tolist()

    def __len__(self):
        return len(self.labels)

    def gather(self, rows, size):
        return {"point": self.points[rows]}, self.labels[rows]


class TinyPoints(Task):
    name = "points"
    summary = "Name the color of a point"
    data_config = DataConfig
    model_config = ModelConfig
    decoding_config = DecodingConfig
    presets = (
        Preset(
            name="points",
            purpose="tests",
            expected="a second",
            settings={
                "training.alpha": 0.1,
                "training.epochs": None,
                "training.steps": 12,
                "training.batch_size": 16,
                "training.checkpoint_every": 3,
                "training.keep_every": 6,
                "training.max_to_keep": 1,
                "optimizer.learning_rate": 3e-2,
            },
        ),
    )
    models = {"mlp": "two layers"}  # noqa: RUF012
    data_sources = {"points": "made on the spot"}  # noqa: RUF012

    def load_data(self, config, artifacts=None):
        splits = {"train": Points(90, 0), "validation": Points(60, 1), "test": Points(20, 2)}
        return TaskData(
            splits=splits,
            num_classes=len(NAMES),
            ignore_class=None,
            class_names=NAMES,
            class_counts=np.bincount(splits["train"].labels),
        )

    def build_model(self, config, data):
        import keras

        point = keras.Input((6,), name="point")
        x = keras.layers.Dense(config.model.width, activation="relu")(point)
        x = keras.layers.Dropout(0.2)(x)
        return keras.Model({"point": point}, keras.layers.Dense(len(NAMES), name="logits")(x))

    def decode(self, model, examples, config, data, progress):
        inputs, _ = examples.gather(np.arange(len(examples)), None)
        return np.asarray(model.predict_on_batch(inputs)).argmax(-1).tolist()

    def score(self, examples, outputs):
        right = np.mean(np.equal(outputs, examples.references))
        return Scores({"right": 100 * float(right)}, {"right": "right (%)"})

    def augment(self, config):
        import keras

        return keras.layers.GaussianNoise(config.data.noise)

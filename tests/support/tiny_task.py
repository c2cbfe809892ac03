"""A task that trains in a second: name the next letter of sequences of unequal length."""

import dataclasses

import numpy as np

from ls_base.errors import InputError
from lsk_engine.settings.config import Preset
from lsk_engine.tasks.contract import Examples, Scores, Task, TaskData

NUM_CLASSES, PADDING = 6, 0


@dataclasses.dataclass(frozen=True)
class DataConfig:
    source: str = "letters"


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    width: int = 8
    dropout: float = 0.2
    batch_norm: bool = False


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    pass


class Letters(Examples):
    def __init__(self, n: int, seed: int):
        rng = np.random.default_rng(seed)
        self.sizes = rng.integers(1, 8, n)
        steps = rng.choice([1, 2], size=(n, 9), p=[0.8, 0.2])
        letters = 1 + np.cumsum(steps, axis=1) % (NUM_CLASSES - 1)
        inside = np.arange(8)[None, :] < self.sizes[:, None]
        self.inputs = np.where(inside, letters[:, :8], PADDING).astype(np.int32)
        self.labels = np.where(inside, letters[:, 1:], PADDING).astype(np.int32)
        self.references = [
            row[:size].tolist() for row, size in zip(self.labels, self.sizes, strict=True)
        ]

    def __len__(self):
        return len(self.sizes)

    def gather(self, rows, size):
        return {"letters": self.inputs[rows, :size]}, self.labels[rows, :size]

    def label_counts(self):
        return self.sizes


class TinyTask(Task):
    name = "tiny"
    summary = "Name the next letter"
    unit = "letters"
    data_config = DataConfig
    model_config = ModelConfig
    decoding_config = DecodingConfig
    presets = (
        Preset(
            name="tiny",
            purpose="tests",
            expected="a second",
            settings={
                "training.alpha": 0.1,
                "training.epochs": None,
                "training.steps": 13,
                "training.batch_size": 8,
                "training.max_length_buckets": 1,
                "training.checkpoint_every": 4,
                "optimizer.learning_rate": 1e-2,
            },
        ),
    )
    models = {"mlp": "an embedding and a layer"}  # noqa: RUF012
    data_sources = {"letters": "made on the spot"}  # noqa: RUF012

    def load_data(self, config, artifacts=None):
        if artifacts is not None and artifacts["letters"] != b"abcde":
            raise InputError(f"Expected the letters abcde. Received: {artifacts}")
        splits = {
            "train": Letters(41, 0),
            "validation": Letters(10, 1),
            "test": Letters(9, 2),
        }
        counts = np.bincount(splits["train"].labels.ravel(), minlength=NUM_CLASSES)
        counts[PADDING] = 0
        return TaskData(
            splits=splits,
            num_classes=NUM_CLASSES,
            ignore_class=PADDING,
            class_names=["", *"abcde"],
            class_counts=counts,
            unused_classes=(PADDING,),
            artifacts={"letters": b"abcde"},
        )

    def build_model(self, config, data):
        import keras

        letters = keras.Input((None,), dtype="int32", name="letters")
        x = keras.layers.Embedding(data.num_classes, config.model.width)(letters)
        x = keras.layers.Dropout(config.model.dropout)(x)
        if config.model.batch_norm:
            x = keras.layers.BatchNormalization(momentum=0.5)(x)
        logits = keras.layers.Dense(data.num_classes, name="logits", dtype="float32")(x)
        return keras.Model({"letters": letters}, logits)

    def decode(self, model, examples, config, data, progress):
        from lsk_engine.devices.distributed_predict import make_predictor

        inputs, _ = examples.gather(np.arange(len(examples)), int(examples.sizes.max()))
        best = np.asarray(make_predictor(model, config)(inputs)).argmax(-1)
        progress(len(examples), len(examples))
        return [row[:size].tolist() for row, size in zip(best, examples.sizes, strict=True)]

    def score(self, examples, outputs):
        right = [out == want for out, want in zip(outputs, examples.references, strict=True)]
        return Scores({"exact": 100 * float(np.mean(right))}, {"exact": "exact match"})

"""The task `keras`: a function that builds a Keras model, and labeled arrays."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lsk_engine.keras_model import config as settings
from lsk_engine.progress import Progress
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Examples, Scores, Task, TaskData

if TYPE_CHECKING:
    from lsk_engine.keras_model.arrays import Labeled


class OwnModelTask(Task):
    """Classification with a user's own model and data; subclasses provide them."""

    name = "keras"
    summary = "Classify with your own Keras model and data"
    data_config = settings.DataConfig
    model_config = settings.ModelConfig
    decoding_config = settings.DecodingConfig
    presets = settings.PRESETS
    models = settings.MODELS
    data_sources = settings.DATA_SOURCES

    @abc.abstractmethod
    def splits(self, config: Config) -> "tuple[Mapping[str, Labeled], Sequence[str] | None]":
        """Returns the splits, `train` at least, and the names of the classes or `None`."""

    @abc.abstractmethod
    def builder(self, config: Config) -> Callable[[], Any]:
        """Returns the function that builds the model."""

    def load_data(self, config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
        """Reads the splits; missing ones are drawn from the training split."""
        from lsk_engine.keras_model.data import task_data

        splits, class_names = self.splits(config)
        return task_data(splits, config.data, class_names)

    def load_new(self, config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
        """Reads other data with the classes of the run."""
        from lsk_engine.keras_model.data import new_data

        splits, class_names = self.splits(config)
        return new_data(splits, config.data, class_names, artifacts)

    def build_model(self, config: Config, data: TaskData):
        """Calls the user's function and makes the model emit logits."""
        from lsk_engine.keras_model.model import build_own_model

        train: Any = data.splits["train"]
        return build_own_model(
            self.builder(config),
            config.model,
            train.split.inputs,
            data.num_classes,
            label_shape=train.labels.shape,
            seed=config.training.seed,
        )

    def decode(
        self, model, examples: Examples, config: Config, data: TaskData, progress: Progress
    ) -> list[Any]:
        """Returns the most likely class of each example or of each of its positions."""
        from lsk_engine.devices.distributed_predict import make_predictor
        from lsk_engine.keras_model.data import predict_classes

        size = config.decoding.batch_size
        predict = make_predictor(model, config)
        return predict_classes(predict, examples, size, progress)  # type: ignore[arg-type]

    def score(self, examples: Examples, outputs: Sequence[Any]) -> Scores:
        """Computes the error rate."""
        from lsk_engine.keras_model.data import score

        return score(examples.references, outputs)


class KerasTask(OwnModelTask):
    """Classification with a model and data that the settings name."""

    def splits(self, config: Config) -> "tuple[Mapping[str, Labeled], Sequence[str] | None]":
        """Reads a file, or calls a function."""
        from lsk_engine.keras_model.sources import load_source

        return load_source(config.data.source)

    def builder(self, config: Config) -> Callable[[], Any]:
        """Imports the function that builds the model."""
        from lsk_engine.keras_model.model import load_builder

        return load_builder(config.model)

    def augment(self, config: Config):
        """Calls the function that returns the random augmentation, if one is named."""
        from lsk_engine.keras_model.model import load_augmentation

        return load_augmentation(config.model)

    def import_layers(self, config: Config) -> None:
        """Imports the model's file, which registers its layers, if it is trusted."""
        from lsk_engine.keras_model.model import import_classes

        import_classes(config.model)

"""A task that is a function, which builds a model, and labeled arrays."""

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
    """Classification with a model and data of the user's own; a subclass says where they are."""

    name = "keras"
    summary = "Classify with a Keras model and data of your own"
    data_config = settings.DataConfig
    model_config = settings.ModelConfig
    decoding_config = settings.DecodingConfig
    presets = settings.PRESETS
    models = settings.MODELS
    data_sources = settings.DATA_SOURCES

    @abc.abstractmethod
    def splits(self, config: Config) -> "tuple[Mapping[str, Labeled], Sequence[str] | None]":
        """Returns the splits that there are, `train` at least, and the names of the classes."""

    @abc.abstractmethod
    def builder(self, config: Config) -> Callable[[], Any]:
        """Returns the function that builds the model."""

    def load_data(self, config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
        """Reads the splits, and holds out what is missing."""
        from lsk_engine.keras_model.data import task_data

        splits, class_names = self.splits(config)
        return task_data(splits, config.data, class_names)

    def load_new(self, config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
        """Reads other data, whose classes are the run's."""
        from lsk_engine.keras_model.data import new_data

        splits, class_names = self.splits(config)
        return new_data(splits, config.data, class_names, artifacts)

    def build_model(self, config: Config, data: TaskData):
        """Calls the user's function, and makes what it returns emit logits."""
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
        """Returns the likeliest class of each example, or those of its positions."""
        from lsk_engine.devices.distributed_predict import make_predictor
        from lsk_engine.keras_model.scoring import likeliest

        size = config.decoding.batch_size
        predict = make_predictor(model, config)
        return likeliest(predict, examples, size, progress)  # type: ignore[arg-type]

    def score(self, examples: Examples, outputs: Sequence[Any]) -> Scores:
        """Computes the error rate."""
        from lsk_engine.keras_model.scoring import score

        return score(examples.references, outputs)

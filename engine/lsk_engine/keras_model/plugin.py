"""The keras task: its table of contents."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lsk_engine import Config
from lsk_engine.keras_model.task import OwnModelTask

if TYPE_CHECKING:
    from lsk_engine.keras_model.arrays import Labeled


class KerasTask(OwnModelTask):
    """Classification with a model and data that settings name."""

    def splits(self, config: Config) -> "tuple[Mapping[str, Labeled], Sequence[str] | None]":
        """Reads a file, or calls a function."""
        from lsk_engine.keras_model.sources import load_source

        return load_source(config.data.source)

    def builder(self, config: Config) -> Callable[[], Any]:
        """Imports the function that builds the model."""
        from lsk_engine.keras_model.model_function import load_builder

        return load_builder(config.model)

    def augment(self, config: Config):
        """Calls the function that returns the random augmentation, if one is named."""
        from lsk_engine.keras_model.model_function import load_augmentation

        return load_augmentation(config.model)

    def import_layers(self, config: Config) -> None:
        """Imports the model's file, which registers layers of its own, if it may be."""
        from lsk_engine.keras_model.model_function import import_classes

        import_classes(config.model)

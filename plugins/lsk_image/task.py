"""The image task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsk_engine import Config, Examples, Progress, Scores, Task, TaskData
from lsk_engine.settings.config import Suggestion
from lsk_image import config as settings


class ImageTask(Task):
    """Image classification with the networks of the paper."""

    name = "image"
    summary = "Classify images"
    extra = "ls-keras[image]"
    unit = "images"
    data_config = settings.DataConfig
    model_config = settings.ModelConfig
    decoding_config = settings.DecodingConfig
    presets = settings.PRESETS
    models = settings.MODELS
    data_sources = settings.DATA_SOURCES

    def suggest(
        self, source: Path, preset: str | None, given: Mapping[str, Any]
    ) -> Suggestion | None:
        """Chooses a preset, size and channels for the user's pictures."""
        from lsk_image.suggest_preset import suggest

        return suggest(source, preset, given)

    def load_data(self, config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
        """Loads images, decoded if memory holds them."""
        from lsk_image.data import load

        return load(config, artifacts)

    def load_new(self, config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
        """Loads new images for a finished run, of some or all of its classes."""
        from lsk_image.data import load_new

        return load_new(config, artifacts)

    def build_model(self, config: Config, data: TaskData):
        """Builds the network, its augmentation included."""
        from lsk_image.model import build_classifier

        return build_classifier(config, data)

    def unused_by_model(self, config: Config) -> Sequence[str]:
        """Returns the settings that only other networks use."""
        return config.model.unused

    def import_layers(self, config: Config) -> None:
        """Imports the layers of the model."""
        import lsk_image.model  # noqa: F401

    def decode(
        self, model, examples: Examples, config: Config, data: TaskData, progress: Progress
    ) -> list[Any]:
        """Ranks the classes of each image."""
        from lsk_image.scoring import rank_classes

        return rank_classes(model, examples, config, data, progress)

    def score(self, examples: Examples, outputs: Sequence[Any]) -> Scores:
        """Computes top-1 and top-5 error."""
        from lsk_image.scoring import score

        return score(examples.references, outputs)

    def augment(self, config: Config):
        """Builds the augmentation layer, called as `layer(images, training=True)`."""
        from lsk_image.model import build_augmentation

        return build_augmentation(config)

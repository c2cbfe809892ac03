"""The translation task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsk_engine import Config, Examples, Progress, Scores, Task, TaskData
from lsk_engine.settings.prepared_manifest import is_prepared
from lsk_translation import config as settings


class TranslationTask(Task):
    """Sentence by sentence from one language into another, with a Transformer."""

    name = "translation"
    summary = "Translate sentences with a Transformer"
    extra = "ls-keras[translation]"
    unit = "tokens"
    data_config = settings.DataConfig
    model_config = settings.ModelConfig
    decoding_config = settings.DecodingConfig
    presets = settings.PRESETS
    study_preset = "cldr-few"
    models = settings.MODELS
    data_sources = settings.DATA_SOURCES

    def load_data(self, config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
        """Loads parallel text and encodes it in sub-words."""
        from lsk_translation import data, prepared

        if is_prepared(config.data.source):
            from lsk_engine.data.prepared.prepared_data import open_prepared

            found = open_prepared(config.data.source, config.task)
            return prepared.load_prepared(found, artifacts)
        return data.load(config, artifacts)

    def load_new(self, config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
        """Loads new text for a finished run."""
        from lsk_translation import data

        if is_prepared(config.data.source):
            return self.load_data(config, artifacts)
        return data.load_new(config, artifacts)

    def prepare(self, config: Config, data: TaskData, directory: Path) -> None:
        """Writes sub-word ids, references and vocabulary."""
        from lsk_translation.prepared import write_prepared

        write_prepared(data, directory)

    def build_model(self, config: Config, data: TaskData):
        """Builds the Transformer."""
        from lsk_translation.model import build_transformer

        return build_transformer(config.model, data.num_classes)

    def import_layers(self, config: Config) -> None:
        """Imports keras-hub."""
        import keras_hub  # noqa: F401

    def decode(
        self, model, examples: Examples, config: Config, data: TaskData, progress: Progress
    ) -> list[Any]:
        """Translates the sources of a split."""
        from lsk_translation.scoring import translate_examples

        return translate_examples(model, examples, config, data, progress)

    def score(self, examples: Examples, outputs: Sequence[Any]) -> Scores:
        """Computes BLEU and chrF."""
        from lsk_translation.scoring import score

        return score(examples.references, [output["text"] for output in outputs])

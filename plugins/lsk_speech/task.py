"""The speech task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsk_engine import Config, Examples, Progress, Scores, Task, TaskData
from lsk_engine.settings.prepared_manifest import is_prepared
from lsk_speech import config as settings


class SpeechTask(Task):
    """Utterances to text, with recurrent networks and attention."""

    name = "speech"
    summary = "Recognize speech with recurrent networks and attention"
    extra = "ls-keras[speech]"
    unit = "tokens"
    data_config = settings.DataConfig
    model_config = settings.ModelConfig
    decoding_config = settings.DecodingConfig
    presets = settings.PRESETS
    models = settings.MODELS
    data_sources = settings.DATA_SOURCES

    def load_data(self, config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
        """Loads utterances and encodes their transcripts."""
        from lsk_speech import data as speech_data

        if is_prepared(config.data.source):
            from lsk_engine.data.prepared.prepared_data import open_prepared

            found = open_prepared(config.data.source, config.task)
            return speech_data.load_prepared(found, artifacts)
        return speech_data.load(config, artifacts)

    def load_new(self, config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
        """Loads new utterances for a finished run."""
        from lsk_speech import data as speech_data

        if is_prepared(config.data.source):
            return self.load_data(config, artifacts)
        return speech_data.load_new(config, artifacts)

    def prepare(self, config: Config, data: TaskData, directory: Path) -> None:
        """Writes samples or features, transcripts and units."""
        from lsk_speech.data import write_prepared

        write_prepared(data, directory)

    def build_model(self, config: Config, data: TaskData):
        """Builds the recognizer."""
        from lsk_speech.model import build_recognizer

        return build_recognizer(config, data)

    def import_layers(self, config: Config) -> None:
        """Imports the layers of the model."""
        import lsk_speech.model  # noqa: F401

    def decode(
        self, model, examples: Examples, config: Config, data: TaskData, progress: Progress
    ) -> list[Any]:
        """Recognizes the utterances of a split."""
        from lsk_speech.scoring import recognize_examples

        return recognize_examples(model, examples, config, data, progress)

    def score(self, examples: Examples, outputs: Sequence[Any]) -> Scores:
        """Computes word and character error rates."""
        from lsk_speech.scoring import score

        return score(examples.references, outputs)

    def illustrate(
        self, model, examples: Examples, outputs: Sequence[Any], config: Config, data: TaskData
    ):
        """Plots the attention to some utterances."""
        from lsk_speech.illustration import draw_attention

        return {"attention": draw_attention(model, examples, outputs, config, data)}

    def augment(self, config: Config):
        """Builds the SpecAugment layer, `layer(features, training=True)`, if it is used."""
        from lsk_speech.model import spec_augment

        options = config.model
        acts = options.num_time_masks or options.num_freq_masks or options.freq_warp
        return spec_augment(config) if acts else None

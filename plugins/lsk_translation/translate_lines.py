"""Translating lines of text with a run's model."""

from collections.abc import Sequence

import keras_hub  # noqa: F401 - registers the layers of the saved model

from ls_keras.config import Config
from ls_keras.errors import LsKerasError
from ls_keras.progress import Reporter
from ls_keras.run_directory import RunDirectory
from lsk_translation.data import VOCABULARY_FILE, Sentences
from lsk_translation.decoding import Translator, translate_sentences, uses_xla
from lsk_translation.subwords import SubwordVocabulary


def translate_lines(
    run: RunDirectory, config: Config, lines: Sequence[str], reporter: Reporter
) -> list[str]:
    """Returns the translation of each line; blank ones are not allowed.

    Lines longer than `data.max_length` pieces are translated with a warning: the model has not
    seen such lengths in training.
    """
    artifacts = run.read_artifacts()
    if VOCABULARY_FILE not in artifacts:
        raise LsKerasError(f"Expected {VOCABULARY_FILE} in {run.artifacts}. Received: none")
    vocabulary = SubwordVocabulary.from_bytes(artifacts[VOCABULARY_FILE])
    model = run.load_model()
    if model.output_shape[-1] != vocabulary.size:
        raise LsKerasError(
            f"Expected a model over the {vocabulary.size} sub-words of its vocabulary. "
            f"Received: one over {model.output_shape[-1]} classes"
        )
    sentences = Sentences(*vocabulary.encode(lines))
    for row in (sentences.lengths >= config.data.max_length).nonzero()[0]:
        reporter.warning(
            f"a line of {sentences.lengths[row]} pieces is longer than any in training "
            f"({config.data.max_length}): {lines[row][:40]!r}"
        )
    translator = Translator(model, config.decoding, jit_compile=uses_xla(config))
    progress = reporter.counter("translating", "lines")
    return translate_sentences(translator, sentences, vocabulary, progress)

"""Translating lines of text with a run's model."""

from collections.abc import Sequence

import keras_hub  # noqa: F401 - registers the layers of the saved model

from ls_base.errors import InputError, LsKerasError
from lsk_engine import Config
from lsk_engine.data.ragged import Ragged
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_translation.data import VOCABULARY_FILE
from lsk_translation.decoding import Translation, translate_sentences
from lsk_translation.subwords import SubwordVocabulary
from lsk_translation.translator import Translator

LONGEST = 2048  # pieces of a line


def translate_lines(
    run: RunDirectory,
    config: Config,
    lines: Sequence[str],
    reporter: Reporter,
    *,
    num_return: int = 1,
) -> list[list[Translation]]:
    """Returns the translations of each line, best first; blank lines are not allowed.

    Lines longer than `data.max_length` pieces are translated with a warning: the model has not
    seen such lengths in training.

    Args:
        run: A finished run.
        config: Its configuration; `config.decoding` says how to search.
        lines: The sources.
        reporter: Who is told.
        num_return: Translations a line.

    Raises:
        InputError: If a line has more than `LONGEST` pieces.
        LsKerasError: If the run's model and vocabulary don't fit.
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
    sentences = Ragged(*vocabulary.encode(lines))
    longest = int(sentences.lengths.argmax())
    if sentences.lengths[longest] > LONGEST:
        raise InputError(
            f"Expected lines of at most {LONGEST:,} pieces, a sentence each: memory grows with the "
            f"square. Received: {sentences.lengths[longest]:,} pieces, {lines[longest][:40]!r}…"
        )
    for row in (sentences.lengths >= config.data.max_length).nonzero()[0]:
        reporter.warning(
            f"a line of {sentences.lengths[row]} pieces is longer than any in training "
            f"({config.data.max_length}): {lines[row][:40]!r}"
        )
    return translate_sentences(
        Translator.of(
            model,
            config.decoding,
            num_return=num_return,
            jit_compile=config.training.jit_compile is True,
        ),
        sentences,
        vocabulary,
        reporter.counter("translating", "lines"),
        temperature=config.decoding.temperature,
    )

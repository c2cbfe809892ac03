"""Translates lines of text with the model of a run."""

import math
from collections.abc import Sequence

import keras_hub  # noqa: F401 - registers the layers of the saved model
import numpy as np

from ls_base.errors import FileError, InputError, LsKerasError
from ls_base.records import Finite, Record, read_record
from lsk_engine import Config
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.devices.distributed_decoding import make_search
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import announce_unsmoothing, build_unsmoothing_for_run
from lsk_engine.runs.run_directory import RunDirectory
from lsk_translation.data import VOCABULARY_FILE
from lsk_translation.model import Translator
from lsk_translation.scoring import Translation, translate_sentences
from lsk_translation.subwords import UNUSED, SubwordVocabulary

MAX_PIECES = 2048  # of a line
_QUANTILE = 0.01  # of validation, below which a translation is reported as unusual
_MAX_REPORTED = 3


def translate_lines(
    run: RunDirectory,
    config: Config,
    lines: Sequence[str],
    reporter: Reporter,
    *,
    num_return: int = 1,
) -> list[list[Translation]]:
    """Returns the translations of each line, best first; blank lines are not allowed.

    Warns about lines longer than `data.max_length` pieces, as training has no such lengths, and
    about lines whose translation is less likely than 99 % of the validation translations, as they
    probably differ from the training text.

    Args:
        run: A finished run.
        config: Its configuration; `config.decoding` has the settings of the search.
        lines: The sources.
        reporter: Receives log messages and progress.
        num_return: Translations per line.

    Raises:
        InputError: If a line has more than `MAX_PIECES` pieces.
        LsKerasError: If the run's model and vocabulary do not fit together.
    """
    artifacts = run.read_artifacts()
    if VOCABULARY_FILE not in artifacts:
        raise LsKerasError(f"Expected {VOCABULARY_FILE} in {run.artifacts}. Received: none")
    vocabulary = SubwordVocabulary(artifacts[VOCABULARY_FILE])
    model = run.load_model()
    if model.output_shape[-1] != vocabulary.size:
        raise LsKerasError(
            f"Expected a model over the {vocabulary.size} sub-words of its vocabulary. "
            f"Received: one over {model.output_shape[-1]} classes"
        )
    sentences = Ragged(*vocabulary.encode(lines))
    longest = int(sentences.lengths.argmax())
    if sentences.lengths[longest] > MAX_PIECES:
        raise InputError(
            f"Expected one sentence per line, of at most {MAX_PIECES:,} pieces. "
            f"Received: {sentences.lengths[longest]:,} pieces, {lines[longest][:40]!r}…"
        )
    for row in (sentences.lengths >= config.data.max_length).nonzero()[0]:
        reporter.warning(
            f"a line of {sentences.lengths[row]} pieces is longer than any in training "
            f"({config.data.max_length}): {lines[row][:40]!r}"
        )
    announce_unsmoothing(config, reporter)
    found = translate_sentences(
        make_search(
            Translator,
            model,
            config,
            len(lines),
            num_return=num_return,
            unsmooth=build_unsmoothing_for_run(config, run, UNUSED),
        ),
        sentences,
        vocabulary,
        reporter.counter("translating", "lines"),
        temperature=config.decoding.temperature,
    )
    own = run.read_config()["decoding"]
    if config.decoding.temperature == own["temperature"] and config.decoding.unsmooth == own.get(
        "unsmooth", 0
    ):
        _warn_about_unusual(lines, [best.log_p for best, *_ in found], run, reporter)
    return found


def _warn_about_unusual(
    lines: Sequence[str], log_ps: Sequence[float], run: RunDirectory, reporter: Reporter
) -> None:
    try:
        usual = _usual_log_p(run)
    except FileError as error:  # the translations are kept
        reporter.warning(str(error))
        return
    unusual = [i for i, log_p in enumerate(log_ps) if log_p < usual]
    for i in unusual[:_MAX_REPORTED]:
        reporter.warning(
            f"{lines[i][:40]!r} seems to be unlike what the model was trained on: its translation "
            f"has log p = {log_ps[i]:.2f} nats a piece; {1 - _QUANTILE:.0%} of validation have at "
            f"least {usual:.2f}"
        )
    if len(unusual) > _MAX_REPORTED:
        reporter.warning(f"so do {len(unusual) - _MAX_REPORTED} more of {len(lines)} lines")


def _usual_log_p(run: RunDirectory) -> float:
    """Returns the `_QUANTILE` quantile of log p per piece on the validation split."""
    file = run.outputs_file("validation")
    if not file.is_file():
        return -math.inf
    outputs = read_record(file, list[_Output | str])
    log_ps = [output.log_p for output in outputs if isinstance(output, _Output)]
    return (
        float(np.quantile(log_ps, _QUANTILE)) if log_ps else -math.inf
    )  # no numbers in runs with text only


class _Output(Record, frozen=True):
    text: str
    log_p: Finite

"""Recognizing utterances of any lengths, and the splits of a data set."""

import dataclasses
import weakref
from collections.abc import Callable, Mapping

import keras
import numpy as np

from ls_keras.config import Config
from ls_keras.decoding.padded_batches import padded_batches
from ls_keras.errors import InputError
from ls_keras.task import Examples, Progress, TaskData
from lsk_speech.data import Utterances
from lsk_speech.recognizer import Recognizer
from lsk_speech.units import load_units

SHORTEST = 64  # frames that utterances are padded to, at least
Sound = Callable[[np.ndarray, int], Mapping[str, np.ndarray]]  # rows and frames → inputs


def recognize_utterances(
    recognizer: Recognizer,
    sizes: np.ndarray,
    sound: Sound,
    progress: Progress,
    *,
    temperature: float = 1.0,
) -> list[list[tuple[np.ndarray, float]]]:
    """Recognizes utterances of any lengths; the order is kept.

    A batch holds utterances of one padded length, which depends on the utterance alone: what else
    is recognized changes no result.

    Args:
        recognizer: Who recognizes.
        sizes: int array `(n,)`: the frames of each utterance.
        sound: Gives the inputs of rows, padded to so many frames, as `Utterances.sound` does.
        progress: Called with utterances done and in all.
        temperature: T.

    Returns:
        For each utterance, token ids and score of its transcripts, best first.
    """
    found: list[list[tuple[np.ndarray, float]]] = [[] for _ in sizes]
    done = 0
    for size, rows, filled in padded_batches(
        sizes, recognizer.config.batch_size, shortest=SHORTEST
    ):
        of_rows = recognizer.recognize(sound(filled, size), temperature)
        for row, transcripts in zip(rows, of_rows, strict=False):
            found[row] = transcripts
        done += len(rows)
        progress(done, len(sizes))
    return found


def recognize_examples(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[str]:
    """Recognizes the utterances of a split, which `lsk_speech.data` has loaded."""
    found = recognize_utterances(
        _recognizer(model, config),
        *utterances_of(examples),
        progress,
        temperature=config.decoding.temperature,
    )
    units = load_units(data.artifacts)
    return [units.decode(transcripts[0][0]) for transcripts in found]


def utterances_of(examples: Examples) -> tuple[np.ndarray, Sound]:
    """Returns the sizes of the utterances of a split, and what gives their inputs."""
    if not isinstance(examples, Utterances):
        raise InputError(f"Expected utterances. Received: {type(examples).__name__}")
    return examples.sizes, examples.sound


def uses_xla(config: Config) -> bool:
    """Returns whether TensorFlow is to compile the search with XLA."""
    return config.training.jit_compile is True


# One for a model, since the next split and the next temperature find its programs compiled.
_RECOGNIZERS: weakref.WeakKeyDictionary[keras.Model, Recognizer] = weakref.WeakKeyDictionary()


def _recognizer(model: keras.Model, config: Config) -> Recognizer:
    known = _RECOGNIZERS.get(model)
    fixed = dataclasses.replace(config.decoding, temperature=1.0)
    if known is None or known.config != fixed:
        known = Recognizer(model, fixed, jit_compile=uses_xla(config))
        _RECOGNIZERS[model] = known
    return known

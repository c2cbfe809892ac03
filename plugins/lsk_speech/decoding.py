"""Recognizing the utterances of a split of a data set."""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from lsk_engine import Config, Examples, InputError, Progress, TaskData
from lsk_engine.devices.distributed_decoding import make_search
from lsk_engine.runs.unsmoothing import build_unsmoothing
from lsk_speech.data import Utterances
from lsk_speech.network.recognizer import Recognizer
from lsk_speech.units import load_units

Sound = Callable[[np.ndarray, int], Mapping[str, np.ndarray]]  # rows and frames → inputs


def recognize_examples(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[str]:
    """Recognizes the utterances of a split, which `lsk_speech.data` has loaded."""
    recognizer = make_search(
        Recognizer, model, config, len(examples), unsmooth=build_unsmoothing(config, data)
    )
    sizes, sound = utterances_of(examples)
    found = recognizer.search_all(
        sizes,
        lambda rows, size: recognizer.arguments(sound(rows, size)),
        progress,
        temperature=config.decoding.temperature,
    )
    units = load_units(data.artifacts)
    return [units.decode(transcripts[0].tokens) for transcripts in found]


def utterances_of(examples: Examples) -> tuple[np.ndarray, Sound]:
    """Returns the sizes of the utterances of a split, and what gives their inputs."""
    if not isinstance(examples, Utterances):
        raise InputError(f"Expected utterances. Received: {type(examples).__name__}")
    return examples.sizes, examples.sound

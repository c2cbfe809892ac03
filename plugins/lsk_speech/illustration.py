"""Plots the attention of a recognizer beside its evaluation."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_keras.plots import AttentionMap, attention_map, attention_rows
from lsk_engine import Config, Examples, TaskData
from lsk_speech.config import DecodingConfig
from lsk_speech.model import halvings
from lsk_speech.network.decoder import attention_of
from lsk_speech.network.recognizer import FRAMES_PER_SECOND, Recognizer
from lsk_speech.scoring import utterances_of
from lsk_speech.units import END_ID, START_ID, load_units

_QUANTILES = (0.2, 0.5, 0.8, 0.95)  # lengths of the utterances that are plotted
_TITLE = 46  # characters


def draw_attention(
    model: keras.Model, examples: Examples, outputs: Sequence[Any], config: Config, data: TaskData
) -> tuple[Any, list[dict[str, Any]]]:
    """Plots the attention to four utterances of a split, from a short to a long one.

    The decoder runs over the recognized transcripts; the titles are the references.

    Args:
        model: The recognizer.
        examples: The split.
        outputs: Its transcripts.
        config: The run's configuration.
        data: The run's data.

    Returns:
        The figure, and its numbers as rows.
    """
    sizes, sound = utterances_of(examples)
    order = np.argsort(sizes, kind="stable")
    rows = list(dict.fromkeys(int(order[int(q * (len(order) - 1))]) for q in _QUANTILES))
    units = load_units(data.artifacts)
    recognizer = Recognizer(model, DecodingConfig(beam_size=1))
    maps: dict[str, AttentionMap] = {}
    for row in rows:
        inputs = {
            name: values
            for name, values in sound(np.array([row]), int(sizes[row])).items()
            if name in (recognizer.sound, "length")
        }
        encoded, frames = recognizer.encoder(inputs, training=False)
        tokens = units.encode(outputs[row]).tolist()
        target = np.array([[START_ID, *tokens]], np.int32)
        weights = attention_of(recognizer.decoder.run(target, encoded, frames))
        names = [str(data.class_names[token]) for token in (*tokens, END_ID)]
        text = examples.references[row]
        short = text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"
        maps[f"{row}: {short}"] = AttentionMap(
            ops.convert_to_numpy(ops.cast(weights, "float32"))[0],
            names,
            2 ** halvings(config.model) / FRAMES_PER_SECOND,
        )
    figure = attention_map(maps, title="Attention: references (titles) and recognized tokens")
    return figure, attention_rows(maps)

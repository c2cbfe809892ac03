"""Recognizes the utterances of a split and scores the transcripts."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence

import jiwer
import keras
import numpy as np

from lsk_engine import Config, Examples, InputError, Progress, Scores, TaskData
from lsk_engine.devices.distributed_decoding import make_search
from lsk_engine.runs.run_data import build_unsmoothing
from lsk_speech.data import Utterances
from lsk_speech.network.recognizer import Recognizer
from lsk_speech.units import load_units

Sound = Callable[[np.ndarray, int], Mapping[str, np.ndarray]]  # rows and frames → inputs


def recognize_examples(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[str]:
    """Returns the best transcript of each utterance of a split."""
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
    """Returns the sizes of the utterances of a split, and a function of their inputs."""
    if not isinstance(examples, Utterances):
        raise InputError(f"Expected utterances. Received: {type(examples).__name__}")
    return examples.sizes, examples.sound


_RESAMPLINGS = 1000
_NORMALIZATION = "NFKC, lower case, no punctuation but apostrophes in words"


def score(references: Sequence[str], hypotheses: Sequence[str]) -> Scores:
    """Computes word and character error rates; lower is better.

    Both are normalized by `lsk_speech.units.normalize`: references when they are loaded, hypotheses
    because their units are. In percent:

    WER = (substitutions + insertions + deletions) / words of the references

    over all utterances, its three parts, CER (the same for characters, spaces included), and the
    sentence error rate.

    Args:
        references: The reference of each utterance, with at least one word.
        hypotheses: The transcript of each utterance.

    Returns:
        `wer`, `cer`, `substitutions`, `insertions`, `deletions` and `ser`; WER with a 95 %
        bootstrap interval over 1,000 resamplings of the utterances. `length_ratio`: words of the
        transcripts divided by those of the references, which has no better direction.

    Raises:
        InputError: If their numbers differ.

    Example:
        >>> found = score(["one two three", "four"], ["one too", "four"])
        >>> found.values["wer"], found.values["substitutions"], found.values["deletions"]
        (50.0, 25.0, 25.0)
    """
    if len(references) != len(hypotheses) or not references:
        raise InputError(
            "Expected as many hypotheses as references, at least one. "
            f"Received: {len(hypotheses)} and {len(references)}"
        )
    wanted, found = list(references), list(hypotheses)
    words = jiwer.process_words(wanted, found)
    characters = jiwer.process_characters(wanted, found)
    counts = np.array([len(text.split()) for text in wanted])
    total = counts.sum()
    errors = np.array(
        [
            sum(
                max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx) for c in wrong
            )
            for wrong in ([c for c in row if c.type != "equal"] for row in words.alignments)
        ]
    )
    parts = ("substitutions", "insertions", "deletions")
    values = {
        "wer": 100 * words.wer,
        "cer": 100 * characters.cer,
        **{part: 100 * getattr(words, part) / total for part in parts},
        "ser": 100 * float(np.mean([a != b for a, b in zip(wanted, found, strict=True)])),
    }
    labels = {
        "wer": "WER %",
        "cer": "CER %",
        **{part: f"{part} %" for part in parts},
        "ser": "sentence errors %",
    }
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(counts), size=(_RESAMPLINGS, len(counts)))
    rates = 100 * errors[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(rates, (2.5, 97.5))
    signature = f"jiwer {importlib.metadata.version('jiwer')}, {_NORMALIZATION}"
    length_ratio = sum(len(text.split()) for text in found) / float(total)
    return Scores(
        {**{name: float(value) for name, value in values.items()}, "length_ratio": length_ratio},
        {**labels, "length_ratio": "length / reference"},
        {"wer": signature},
        {"wer": (float(low), float(high))},
        dict.fromkeys(values, "less"),
        {**dict.fromkeys(values, (0.0, None)), "ser": (0.0, 100.0)},
    )

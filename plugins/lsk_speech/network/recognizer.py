"""Beam search with the recognizer: the encoder once, then the decoder token by token."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_keras.decoding import LengthPenalty, ModelSearch
from ls_keras.decoding.model_search import DecodedHypothesis
from lsk_speech.config import DecodingConfig
from lsk_speech.units import END_ID, PAD_ID, START_ID

FRAMES_PER_SECOND = 100


class CoverageScorer(LengthPenalty):
    """The length penalty, and a reward for each frame that received attention.

    `score = log p(y) / ((5 + |y|) / 6)^a + c · #{i: Σ_n w_ni > τ}`

    A transcript that omits part of an utterance covers fewer frames; repetition covers no more. A
    continuation with L tokens covers at most all frames, and at most L / τ, as the weights of each
    token sum to 1; this bounds the score.

    Args:
        exponent: a.
        weight: c.
        threshold: τ.

    References:
        Chorowski & Jaitly 2016 (arXiv 1612.02695), section 4.1.
    """

    def __init__(self, exponent: float, weight: float, threshold: float):
        super().__init__(exponent)
        self.weight, self.threshold = weight, threshold

    def score(self, log_probs, length, state=None):
        """Returns the score of finished transcripts."""
        covered = ops.cast(state["decoder"]["attended"] > self.threshold, "float32")
        return super().score(log_probs, length) + self.weight * ops.sum(covered, axis=-1)

    def bound(self, log_probs, max_length, state=None):
        """Returns an upper bound on the score of all continuations."""
        frames = ops.sum(ops.cast(state["memory"]["valid"], "float32"), axis=-1)
        covered = ops.minimum(frames, max_length / self.threshold)
        return super().score(log_probs, max_length) + self.weight * covered


class Recognizer(ModelSearch):
    """Recognizes batches of utterances.

    Args:
        model: A model that `build_recognizer` built.
        config: Settings of the search; its temperature is not used.
        num_return: Transcripts per utterance, 1 to `config.beam_size`.
        jit_compile: Whether TensorFlow compiles with XLA.
        unsmooth: The label smoothing to remove in the search.

    Attributes:
        sound: The name of the input, `audio` or `features`.
        hop: Samples per frame; 1 for features.
    """

    shortest = 64  # frames
    most_positions = 1 << 16  # frames in all: 32 times 20 s
    pad_token, start_token, end_token = PAD_ID, START_ID, END_ID

    def __init__(self, model: keras.Model, config: DecodingConfig, **kwargs):
        super().__init__(model, config, **kwargs)
        self.decoder = model.get_layer("decoder")
        inputs = {x.name: x for x in model.inputs if x.name != "target"}
        (self.sound,) = set(inputs) - {"length"}
        self.hop = model.get_layer("log_mel").hop if self.sound == "audio" else 1
        _, encoded, frames = self.decoder.input
        self.encoder = keras.Model(inputs, [encoded, frames])

    def recognize(
        self, inputs: Mapping[str, np.ndarray], temperature: float = 1.0
    ) -> list[list[DecodedHypothesis]]:
        """Returns the token ids, without the end token, and the score of each transcript.

        Args:
            inputs: `audio` or `features`, and `length`, as from `Utterances.gather`; other entries
                are ignored.
            temperature: T.

        Returns:
            For each utterance, at most `num_return` transcripts, best first.

        Raises:
            LsKerasError: If the model emits NaN.
        """
        return self.search(*self.arguments(inputs), temperature=temperature)

    def arguments(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the arguments of `begin` from the inputs of a batch."""
        return inputs[self.sound], inputs["length"]

    def max_length(self, frames: int) -> int:
        """Returns the largest number of tokens in a transcript of `frames` frames."""
        seconds = frames / FRAMES_PER_SECOND
        return math.ceil(self.config.tokens_per_second * seconds) + self.config.token_margin

    def begin(self, sound, length) -> tuple[Any, int]:
        """Encodes utterances."""
        encoded, frames = self.encoder({self.sound: sound, "length": length}, training=False)
        state = {
            "memory": self.decoder.attention.memory(encoded, frames),
            "decoder": self.decoder.initial_state(encoded),
        }
        return state, self.max_length(-(-sound.shape[1] // self.hop))

    def step(self, tokens, state, index):
        """Runs the decoder for one token."""
        decoded, decoder = self.decoder.step(tokens, state["memory"], state["decoder"])
        return decoded, {**state, "decoder": decoder}

    def scorer(self):
        """Returns the coverage term, if it has a weight."""
        config = self.config
        if not config.coverage:
            return None
        return CoverageScorer(config.length_penalty, config.coverage, config.coverage_threshold)

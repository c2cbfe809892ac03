"""The model as a recognizer: the encoder once, then a beam search token by token."""

import math
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from ls_keras.decoding import LengthPenalty, beam_search, compiled
from ls_keras.errors import InputError, LsKerasError
from lsk_speech.config import DecodingConfig
from lsk_speech.units import END_ID, PAD_ID, START_ID

FRAMES_PER_SECOND = 100


class CoverageScorer(LengthPenalty):
    """The length penalty, and a reward for each frame that was attended to.

    `score = log p(y) / ((5 + |y|) / 6)^a + c · #{i: Σ_n w_ni > τ}`

    A transcript that leaves out part of an utterance covers fewer frames than one that doesn't; one
    that repeats itself covers no more. However it goes on, a beam can cover no more than all
    frames, nor more than L / τ with L tokens, as the weights of each sum to 1: that bounds it.

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
        """Returns what no continuation exceeds."""
        frames = ops.sum(ops.cast(state["memory"]["valid"], "float32"), axis=-1)
        covered = ops.minimum(frames, max_length / self.threshold)
        return super().bound(log_probs, max_length) + self.weight * covered


class Recognizer:
    """Recognizes batches of utterances; one compiled program for each padded length.

    Beams and penalties are fixed; the temperature is an argument of the program, so that a sweep
    compiles once.

    Args:
        model: A model that `build_recognizer` built.
        config: How to search; its temperature is not read.
        num_return: Transcripts an utterance, 1 to `config.beam_size`.
        jit_compile: Whether TensorFlow compiles with XLA.

    Attributes:
        sound: The name of the input that is heard: `audio` or `features`.
        hop: How much of it makes a frame: samples, or 1.
    """

    def __init__(
        self,
        model: keras.Model,
        config: DecodingConfig,
        *,
        num_return: int = 1,
        jit_compile: bool = False,
    ):
        if not 1 <= num_return <= config.beam_size:
            raise InputError(
                f"Expected 1 to {config.beam_size} transcripts an utterance, the size of the beam. "
                f"Received: {num_return}"
            )
        self.config, self.num_return = config, num_return
        self.decoder = model.get_layer("decoder")
        self.logits = model.get_layer("logits")
        # What `lsk calibrate` put behind the logits.
        self.scaling = [layer for layer in model.layers if layer.name == "calibrated_logits"]
        inputs = {x.name: x for x in model.inputs if x.name != "target"}
        (self.sound,) = set(inputs) - {"length"}
        self.hop = model.get_layer("log_mel").hop if self.sound == "audio" else 1
        _, encoded, frames = self.decoder.input
        self.encoder = keras.Model(inputs, [encoded, frames])
        self._search = compiled(self._beams, variables=model.variables, jit_compile=jit_compile)

    def recognize(
        self, inputs: Mapping[str, np.ndarray], temperature: float = 1.0
    ) -> list[list[tuple[np.ndarray, float]]]:
        """Returns the token ids, the end token left out, and the score of each transcript.

        Args:
            inputs: `audio` or `features`, and `length`, as `Utterances.gather` gives them; what
                else there is is not read.
            temperature: T.

        Returns:
            For each utterance, at most `num_return` transcripts, best first.

        Raises:
            LsKerasError: If the model emits NaN.
        """
        found = self._search(inputs[self.sound], inputs["length"], np.float32(temperature))
        tokens, scores, lengths = (ops.convert_to_numpy(x) for x in found)
        if np.isnan(scores).any():
            raise LsKerasError("Expected finite logits from the model. Received: NaN or infinity")
        return [
            [
                (hypothesis[:length][hypothesis[:length] != END_ID], float(score))
                for hypothesis, score, length in zip(*of_utterance, strict=True)
                if length
            ]
            for of_utterance in zip(tokens, scores, lengths, strict=True)
        ]

    def max_length(self, frames: int) -> int:
        """Returns the most tokens that a transcript of an utterance of so many frames may have."""
        seconds = frames / FRAMES_PER_SECOND
        return math.ceil(self.config.tokens_per_second * seconds) + self.config.token_margin

    def _beams(self, sound, length, temperature):
        encoded, frames = self.encoder({self.sound: sound, "length": length}, training=False)
        state = {
            "memory": self.decoder.attention.memory(encoded, frames),
            "decoder": self.decoder.initial_state(encoded),
        }
        config = self.config
        scorer = None
        if config.coverage:
            scorer = CoverageScorer(
                config.length_penalty, config.coverage, config.coverage_threshold
            )
        return beam_search(
            self._step,
            state,
            batch_size=sound.shape[0],
            beam_size=config.beam_size,
            num_return=self.num_return,
            max_length=self.max_length(-(-sound.shape[1] // self.hop)),
            start_token=START_ID,
            end_token=END_ID,
            pad_token=PAD_ID,
            length_penalty=config.length_penalty,
            scorer=scorer,
            temperature=temperature,
            # A single beam that searched on after its end would not be greedy.
            stop="first" if config.beam_size == 1 else "bound",
            forbidden_tokens=(PAD_ID, START_ID),
        )

    def _step(self, tokens, state, index):
        decoded, decoder = self.decoder.step(tokens, state["memory"], state["decoder"])
        logits = self.logits(decoded)
        for layer in self.scaling:
            logits = layer(logits)
        return logits, {**state, "decoder": decoder}

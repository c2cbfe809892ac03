"""The Transformer as a translator: the encoder once, then a beam search token by token."""

import math

import keras
import numpy as np
from keras import ops

from ls_keras.decoding import beam_search, compiled
from ls_keras.errors import InputError, LsKerasError
from lsk_translation.config import DecodingConfig
from lsk_translation.subwords import END_ID, PAD_ID, START_ID


class Translator:
    """Translates batches of sentences; one compiled program for each source length.

    Beams and penalty are fixed; the temperature is an argument of the program, so that a sweep
    compiles once.

    Args:
        model: A model that `build_transformer` built.
        config: How to search; its temperature is not read.
        num_return: Translations a sentence, 1 to `config.beam_size`.
        jit_compile: Whether TensorFlow compiles with XLA.
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
                f"Expected 1 to {config.beam_size} translations a sentence, the size of the beam. "
                f"Received: {num_return}"
            )
        self.config, self.num_return = config, num_return
        self.embedding = model.get_layer("embedding")
        self.positions = model.get_layer("positions")
        self.decoded = model.get_layer("decoded")
        self.logits = model.get_layer("logits")
        names = [layer.name for layer in model.layers]
        # What `lsk calibrate` put behind the logits.
        self.scaling = [model.get_layer(n) for n in names if n == "calibrated_logits"]
        self.decoders = [model.get_layer(n) for n in names if n.startswith("decoder_")]
        source = next(x for x in model.inputs if x.name == "source")
        self.encoder = keras.Model(source, model.get_layer("encoded").output)
        self._search = compiled(self._beams, variables=model.variables, jit_compile=jit_compile)

    def translate(
        self, source: np.ndarray, temperature: float = 1.0
    ) -> list[list[tuple[np.ndarray, float]]]:
        """Returns the token ids, the end token left out, and the score of each translation.

        Args:
            source: int32 `(batch, S)` as `Sentences.padded` gives them.
            temperature: T.

        Returns:
            For each sentence, at most `num_return` translations, best first.

        Raises:
            LsKerasError: If the model emits NaN.
        """
        found = self._search(source, np.float32(temperature))
        tokens, scores, lengths = (ops.convert_to_numpy(x) for x in found)
        if np.isnan(scores).any():
            raise LsKerasError("Expected finite logits from the model. Received: NaN or infinity")
        return [
            [
                (hypothesis[:length][hypothesis[:length] != END_ID], float(score))
                for hypothesis, score, length in zip(*of_sentence, strict=True)
                if length
            ]
            for of_sentence in zip(tokens, scores, lengths, strict=True)
        ]

    def max_length(self, source_length: int) -> int:
        """Returns the most tokens that a translation of `source_length` pieces may have."""
        return math.ceil(self.config.length_ratio * source_length) + self.config.length_margin

    def _beams(self, source, temperature):
        batch, length = source.shape
        max_length = self.max_length(length)
        greedy = self.config.beam_size == 1
        return beam_search(
            self._step,
            self._initial_state(source, max_length),
            batch_size=batch,
            beam_size=self.config.beam_size,
            num_return=self.num_return,
            max_length=max_length,
            start_token=START_ID,
            end_token=END_ID,
            pad_token=PAD_ID,
            length_penalty=self.config.length_penalty,
            temperature=temperature,
            # A single beam that searched on after its end would not be greedy.
            stop="first" if greedy else "bound",
            forbidden_tokens=(PAD_ID, START_ID),
        )

    def _initial_state(self, source, max_length: int):
        """Encodes the source; all that a step needs of a sentence is in the state."""
        batch, _ = source.shape
        mask = ops.not_equal(source, PAD_ID)
        encoded = self.encoder(source, training=False)
        return {
            "encoded": encoded,
            "mask": mask,
            "cross": self._cross_caches(encoded, mask),
            "own": [self._empty_cache(batch, max_length, encoded.dtype) for _ in self.decoders],
        }

    def _step(self, tokens, state, index):
        x = self._embed(tokens, index)
        own = []
        for layer, cache, cross in zip(self.decoders, state["own"], state["cross"], strict=True):
            x, cache, _ = layer(
                x,
                state["encoded"],
                encoder_padding_mask=state["mask"],
                self_attention_cache=cache,
                self_attention_cache_update_index=index,
                cross_attention_cache=cross,
                cross_attention_cache_update_index=None,
                training=False,
            )
            own.append(cache)
        logits = self.logits(self.decoded(x))
        for layer in self.scaling:
            logits = layer(logits)
        return logits[:, 0], {**state, "own": own}

    def _embed(self, tokens, index):
        x = self.embedding(ops.expand_dims(tokens, -1)) * math.sqrt(self.embedding.output_dim)
        return x + ops.cast(self.positions(x, start_index=index), x.dtype)

    def _cross_caches(self, encoded, mask):
        """Computes the keys and values of the source once: a decoder step on the start token."""
        batch, length, _ = encoded.shape
        x = self._embed(ops.full((batch,), START_ID, dtype="int32"), 0)
        caches = []
        for layer in self.decoders:
            x, _, cache = layer(
                x,
                encoded,
                encoder_padding_mask=mask,
                # Of two positions: Keras warns of a softmax over one.
                self_attention_cache=self._empty_cache(batch, 2, encoded.dtype),
                self_attention_cache_update_index=0,
                cross_attention_cache=self._empty_cache(batch, length, encoded.dtype),
                cross_attention_cache_update_index=0,
                training=False,
            )
            caches.append(cache)
        return caches

    def _empty_cache(self, batch: int, length: int, dtype):
        heads = self.decoders[0].num_heads
        return ops.zeros((batch, 2, length, heads, self.embedding.output_dim // heads), dtype)

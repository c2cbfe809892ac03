"""Translating with a trained Transformer: the encoder once, then the decoder token by token."""

import math
import weakref

import keras
import numpy as np
from keras import ops

from ls_keras.config import Config
from ls_keras.decoding import compiled, greedy_search
from ls_keras.errors import InputError
from ls_keras.task import Examples, Progress, TaskData
from lsk_translation.config import DecodingConfig
from lsk_translation.data import VOCABULARY_FILE, Sentences, TextPairs
from lsk_translation.subwords import END_ID, PAD_ID, START_ID, SubwordVocabulary


class Translator:
    """Translates batches of sentences; one compiled program for each source length.

    Args:
        model: A model that `build_transformer` built.
        config: How to search.
        jit_compile: Whether TensorFlow compiles with XLA.
    """

    def __init__(self, model: keras.Model, config: DecodingConfig, *, jit_compile: bool = False):
        self.config = config
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
        self._search = compiled(self._greedy, variables=model.variables, jit_compile=jit_compile)

    def translate(self, source: np.ndarray) -> list[np.ndarray]:
        """Returns the token ids of each translation, the end token left out.

        Args:
            source: int32 `(batch, S)` as `Sentences.padded` gives them.
        """
        found = self._search(source)
        tokens = ops.convert_to_numpy(found.tokens)
        lengths = ops.convert_to_numpy(found.lengths)
        rows = (row[:length] for row, length in zip(tokens, lengths, strict=True))
        return [row[row != END_ID] for row in rows]

    def max_length(self, source_length: int) -> int:
        """Returns the most tokens that a translation of `source_length` pieces may have."""
        return math.ceil(self.config.length_ratio * source_length) + self.config.length_margin

    def _greedy(self, source):
        batch, length = source.shape
        max_length = self.max_length(length)
        mask = ops.not_equal(source, PAD_ID)
        encoded = self.encoder(source, training=False)
        cross = self._cross_caches(encoded, mask)

        def step(tokens, state, index):
            x = self._embed(tokens, index)
            new_state = []
            for layer, cache, keys in zip(self.decoders, state, cross, strict=True):
                x, cache, _ = layer(
                    x,
                    encoded,
                    encoder_padding_mask=mask,
                    self_attention_cache=cache,
                    self_attention_cache_update_index=index,
                    cross_attention_cache=keys,
                    cross_attention_cache_update_index=None,
                    training=False,
                )
                new_state.append(cache)
            logits = self.logits(self.decoded(x))
            for layer in self.scaling:
                logits = layer(logits)
            return logits[:, 0], new_state

        return greedy_search(
            step,
            [self._empty_cache(batch, max_length, encoded.dtype) for _ in self.decoders],
            batch_size=batch,
            max_length=max_length,
            start_token=START_ID,
            end_token=END_ID,
            pad_token=PAD_ID,
            forbidden_tokens=(PAD_ID, START_ID),
        )

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


def translate_sentences(
    translator: Translator,
    sentences: Sentences,
    vocabulary: SubwordVocabulary,
    progress: Progress,
) -> list[str]:
    """Translates sentences of any lengths, in batches of similar ones; the order is kept."""
    sizes = sentences.lengths + 1
    order = np.argsort(sizes, kind="stable")
    batch_size = translator.config.batch_size
    found: list[str] = [""] * len(sizes)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        filled = np.concatenate([rows, np.repeat(rows[:1], batch_size - len(rows))])
        tokens = translator.translate(sentences.padded(filled, padded_size(int(sizes[rows[-1]]))))
        texts = vocabulary.decode([t.tolist() for t in tokens[: len(rows)]])
        for row, text in zip(rows, texts, strict=True):
            found[row] = text
        progress(start + len(rows), len(sizes))
    return found


def padded_size(size: int) -> int:
    """Returns the length that sentences up to `size` are padded to: 8, 12, 16, 24, 32 and so on.

    Few different lengths, and the same for any text: a program is compiled for each.
    """
    power = 8
    while power < size:
        if size <= power * 3 // 2:
            return power * 3 // 2
        power *= 2
    return power


def translate_examples(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[str]:
    """Translates the sources of a split, which `lsk_translation.data` has loaded."""
    if not isinstance(examples, TextPairs):
        raise InputError(f"Expected sentence pairs. Received: {type(examples).__name__}")
    vocabulary = SubwordVocabulary.from_bytes(data.artifacts[VOCABULARY_FILE])
    translator = _TRANSLATORS.get(model)
    if translator is None or translator.config != config.decoding:
        translator = Translator(model, config.decoding, jit_compile=uses_xla(config))
        _TRANSLATORS[model] = translator
    return translate_sentences(translator, examples.source, vocabulary, progress)


def uses_xla(config: Config) -> bool:
    """Returns whether TensorFlow is to compile the search with XLA."""
    return config.training.jit_compile is True


# One for a model, since the next split finds its programs compiled.
_TRANSLATORS: weakref.WeakKeyDictionary[keras.Model, Translator] = weakref.WeakKeyDictionary()

import keras
import numpy as np
import pytest
import small_translation
from lsk_translation.config import DecodingConfig, ModelConfig
from lsk_translation.data import Sentences
from lsk_translation.decoding import Translator, translate_examples, translate_sentences
from lsk_translation.model import build_transformer
from lsk_translation.subwords import END_ID, PAD_ID, START_ID, SubwordVocabulary
from lsk_translation.task import TranslationTask

from ls_keras.calibration import TemperatureFit, calibrated
from ls_keras.config import resolve
from ls_keras.decoding import compiled

K = 20


@pytest.fixture(params=[True, False], ids=["pre-norm", "post-norm"])
def model(request):
    config = ModelConfig(
        layers=2, width=16, feedforward=32, heads=2, dropout=0.3, normalize_first=request.param
    )
    return build_transformer(config, K)


def some_sentences(n=7, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, n)
    return Sentences(
        rng.integers(4, K, lengths.sum()).astype(np.int32), np.concatenate([[0], lengths.cumsum()])
    )


def greedy_by_full_passes(model, source, max_length):
    """Greedy decoding without any cache: the whole model on the whole prefix, every time."""
    target = np.full((len(source), max_length + 1), PAD_ID, np.int32)
    target[:, 0] = START_ID
    for position in range(max_length):
        z = keras.ops.convert_to_numpy(model({"source": source, "target": target}))[:, position]
        z[:, [PAD_ID, START_ID]] = -np.inf
        ended = (target == END_ID).any(1)
        target[:, position + 1] = np.where(ended, END_ID, z.argmax(-1))
    return [row[1:][row[1:] != END_ID] for row in target]


def test_cached_steps_equal_full_passes(model):
    source = some_sentences().padded(np.arange(7), 6)
    translator = Translator(model, DecodingConfig(length_ratio=1.0, length_margin=4))
    expected = greedy_by_full_passes(model, source, 10)
    for found, wanted in zip(translator.translate(source), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_padding_of_the_source_changes_nothing(model):
    sentences = some_sentences()
    rows = np.arange(7)
    target = np.full((7, 3), START_ID, np.int32)
    narrow = model({"source": sentences.padded(rows, 6), "target": target})
    wide = model({"source": sentences.padded(rows, 11), "target": target})
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(narrow), keras.ops.convert_to_numpy(wide), atol=1e-5
    )


def test_the_future_is_hidden(model):
    source = some_sentences().padded(np.arange(7), 6)
    target = np.full((7, 5), 5, np.int32)
    changed = target.copy()
    changed[:, 3:] = 9
    first, second = (
        keras.ops.convert_to_numpy(model({"source": source, "target": t}))
        for t in (target, changed)
    )
    np.testing.assert_allclose(first[:, :3], second[:, :3], atol=1e-6)
    assert np.abs(first[:, 3:] - second[:, 3:]).max() > 1e-3


def test_order_and_batch_size_make_no_difference(tmp_path, model):
    text = ["ab cd", "d", "abcd abcd abcd", "bb", "a a a a", "cab", "dd dd"]
    vocabulary = SubwordVocabulary.train(text * 3, size=12, byte_fallback=False)
    model = build_transformer(ModelConfig(layers=1, width=16, feedforward=32), vocabulary.size)
    sentences = Sentences(*vocabulary.encode(text))
    found = []
    for batch_size in (1, 3, 64):
        config = DecodingConfig(batch_size=batch_size, length_ratio=0, length_margin=6)
        seen: list[tuple[int, int]] = []
        translator = Translator(model, config)
        found.append(
            translate_sentences(
                translator, sentences, vocabulary, lambda *at, seen=seen: seen.append(at)
            )
        )
        assert seen[-1] == (len(text), len(text))
    assert found[0] == found[1] == found[2]


def test_a_temperature_behind_the_logits_keeps_greedy_translations(tmp_path):
    task = TranslationTask()
    config = resolve(task, None, small_translation.settings(tmp_path))
    data = task.load_data(config)
    model = task.build_model(config, data)
    fit = TemperatureFit(2.0, "nll", 1.0, 0.9, 0.1, 0.0, 9, 3, True)
    scaled = calibrated(model, fit)
    plain = Translator(model, config.decoding)
    assert len(Translator(scaled, config.decoding).scaling) == 1
    assert plain.scaling == []
    examples = data.splits["test"]
    arguments = (examples, config, data, lambda done, total: None)
    assert translate_examples(scaled, *arguments) == translate_examples(model, *arguments)


def test_compiled_search_is_retraced_for_each_source_length():
    lengths = []

    def search(source):
        lengths.append(source.shape[1])
        return source

    run = compiled(search)
    for size in (3, 5, 3):
        run(np.zeros((2, size), np.int32))
    expected = {"tensorflow": [3, 5], "jax": [3, 5], "torch": [3, 5, 3]}
    assert lengths == expected[keras.config.backend()]

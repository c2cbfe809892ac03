import dataclasses

import keras
import numpy as np
import pytest

import small_translation
from ls_base.errors import InputError, LsKerasError
from ls_keras.calibration import calibrated
from ls_keras.decoding import Unsmoothing, compiled
from ls_keras.decoding.model_search import padded_size
from ls_keras.losses import Uniform, Unigram
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.runs.run_data import build_unsmoothing
from lsk_engine.settings.resolving import resolve_config
from lsk_translation.config import DecodingConfig, ModelConfig
from lsk_translation.data import with_ends
from lsk_translation.model import Translator, build_transformer
from lsk_translation.scoring import translate_examples, translate_sentences
from lsk_translation.subwords import END_ID, PAD_ID, START_ID, UNUSED, SubwordVocabulary
from lsk_translation.task import TranslationTask

K = 20


@pytest.fixture(
    params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["pre-norm", "post-norm"]
)
def model(request):
    config = ModelConfig(
        layers=2, width=16, feedforward=32, heads=2, dropout=0.3, normalize_first=request.param
    )
    return build_transformer(config, K)


def some_sentences(n=7, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, n)
    return Ragged(
        rng.integers(4, K, lengths.sum()).astype(np.int32), np.concatenate([[0], lengths.cumsum()])
    )


def log_probabilities(model, source, target, temperature=1.0):
    """The whole model on the whole prefix, without any cache, in float64."""
    z = np.float64(keras.ops.convert_to_numpy(model({"source": source, "target": target})))
    z /= temperature
    return (
        z
        - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - z.max(-1, keepdims=True)
    )


def greedy_by_full_passes(model, source, max_length):
    target = np.full((len(source), max_length + 1), PAD_ID, np.int32)
    target[:, 0] = START_ID
    for position in range(max_length):
        z = log_probabilities(model, source, target)[:, position]
        z[:, [PAD_ID, START_ID]] = -np.inf
        ended = (target == END_ID).any(1)
        target[:, position + 1] = np.where(ended, END_ID, z.argmax(-1))
    return [row[1:][row[1:] != END_ID] for row in target]


def test_one_beam_is_greedy_by_full_passes(model):
    source = with_ends(some_sentences(), np.arange(7), 6)
    translator = Translator(model, DecodingConfig(1, length_ratio=1.0, length_margin=4))
    expected = greedy_by_full_passes(model, source, 10)
    for found, wanted in zip(translator.translate(source), expected, strict=True):
        np.testing.assert_array_equal(found[0][0], wanted)


def test_scores_are_those_of_full_passes(model):
    config = DecodingConfig(beam_size=3, length_penalty=0.6, length_ratio=0, length_margin=5)
    translator = Translator(model, config, num_return=3)
    source = with_ends(some_sentences(), np.arange(7), 6)
    for row, hypotheses in enumerate(translator.translate(source, temperature=0.4)):
        scores = [one.score for one in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(tokens) for tokens, *_ in hypotheses}) == len(hypotheses)
        for tokens, score, length in hypotheses:
            labels = [*tokens, END_ID][:5]  # an unfinished one has no end token
            assert length == len(labels)
            target = np.full((1, 5), PAD_ID, np.int32)
            target[0, : len(labels)] = [START_ID, *labels][: len(labels)]
            log_p = log_probabilities(model, source[row : row + 1], target, 0.4)[0]
            total = sum(log_p[i, label] for i, label in enumerate(labels))
            assert score == pytest.approx(total / ((5 + len(labels)) / 6) ** 0.6, rel=1e-4)


def test_more_translations_than_beams_are_refused():
    model = build_transformer(ModelConfig(layers=1, width=8, heads=2), K)
    with pytest.raises(InputError, match="Expected 1 to 4 hypotheses"):
        Translator(model, DecodingConfig(), num_return=5)


def test_a_model_that_emits_nan_is_reported():
    model = build_transformer(ModelConfig(layers=1, width=8, heads=2), K)
    logits = model.get_layer("embedding")
    logits.set_weights([np.full_like(w, np.nan) for w in logits.get_weights()])
    translator = Translator(model, DecodingConfig(beam_size=2))
    with pytest.raises(LsKerasError, match="Expected finite logits from the model"):
        translator.translate(with_ends(some_sentences(1), np.arange(1), 6))


def test_padding_of_the_source_changes_nothing(model):
    sentences = some_sentences()
    rows = np.arange(7)
    target = np.full((7, 3), START_ID, np.int32)
    narrow = model({"source": with_ends(sentences, rows, 6), "target": target})
    wide = model({"source": with_ends(sentences, rows, 11), "target": target})
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(narrow), keras.ops.convert_to_numpy(wide), atol=1e-5
    )


def test_the_future_is_hidden(model):
    source = with_ends(some_sentences(), np.arange(7), 6)
    target = np.full((7, 5), 5, np.int32)
    changed = target.copy()
    changed[:, 3:] = 9
    first, second = (
        keras.ops.convert_to_numpy(model({"source": source, "target": t}))
        for t in (target, changed)
    )
    np.testing.assert_allclose(first[:, :3], second[:, :3], atol=1e-6)
    assert np.abs(first[:, 3:] - second[:, 3:]).max() > 1e-3


@pytest.mark.slow
def test_order_and_batch_size_make_no_difference():
    text = ["ab cd", "d", "abc dab " * 4, "bb", "a a a a", "cab", "dd dd"]
    vocabulary = SubwordVocabulary.train(text * 3, size=12, byte_fallback=False)
    model = build_transformer(ModelConfig(layers=1, width=16, feedforward=32), vocabulary.size)
    sentences = Ragged(*vocabulary.encode(text))
    assert len({padded_size(int(n) + 1, Translator.shortest) for n in sentences.lengths}) > 1
    found = []
    for batch_size in (1, 3, 64):
        config = DecodingConfig(beam_size=2, batch_size=batch_size, length_margin=2)
        seen: list[tuple[int, int]] = []
        translator = Translator(model, config)
        found.append(
            translate_sentences(
                translator, sentences, vocabulary, lambda *at, seen=seen: seen.append(at)
            )
        )
        assert seen[-1] == (len(text), len(text))
    for others in found[1:]:
        for first, second in zip(found[0], others, strict=True):
            assert [t.text for t in first] == [t.text for t in second]
            assert [t.score for t in first] == pytest.approx([t.score for t in second], rel=1e-4)


def test_a_temperature_behind_the_logits_keeps_greedy_translations(tmp_path):
    task = TranslationTask()
    config = resolve_config(
        task, None, {**small_translation.settings(tmp_path), "decoding.beam_size": 1}
    )
    data = task.load_data(config)
    model = task.build_model(config, data)
    scaled = calibrated(model, 2.0)
    plain = Translator(model, config.decoding)
    assert len(Translator(scaled, config.decoding).scaling) == 1
    assert plain.scaling == []
    examples = data.splits["test"]
    arguments = (examples, config, data, lambda done, total: None)
    texts = [
        [translation["text"] for translation in translate_examples(either, *arguments)]
        for either in (scaled, model)
    ]
    assert texts[0] == texts[1]


def test_dividing_logits_in_the_model_or_in_the_search_is_the_same(model):
    scaled = calibrated(model, 1.7)
    source = with_ends(some_sentences(), np.arange(7), 6)
    config = DecodingConfig(beam_size=3, length_margin=3)
    inside = Translator(scaled, config).translate(source)
    outside = Translator(model, config).translate(source, temperature=1.7)
    for first, second in zip(inside, outside, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == pytest.approx(second[0][1], rel=1e-4)


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


def unsmoothed(log_p, alpha, q):
    """Log p* by the definition, in float64."""
    rest = np.maximum(np.exp(log_p) - alpha * q, 0)
    with np.errstate(divide="ignore"):
        return np.log(rest / rest.sum(-1, keepdims=True))


def test_scores_are_of_what_smoothing_left_out(model):
    config = DecodingConfig(beam_size=3, length_penalty=0.6, length_ratio=0, length_margin=5)
    q = np.where(np.isin(np.arange(K), UNUSED), 0, 1 / (K - len(UNUSED)))
    translator = Translator(
        model, config, num_return=3, unsmooth=Unsmoothing(0.4, Uniform(exclude=UNUSED))
    )
    source = with_ends(some_sentences(), np.arange(7), 6)
    for row, hypotheses in enumerate(translator.translate(source)):
        for tokens, score, _ in hypotheses:
            labels = [*tokens, END_ID][:5]
            target = np.full((1, 5), PAD_ID, np.int32)
            target[0, : len(labels)] = [START_ID, *labels][: len(labels)]
            log_p = unsmoothed(log_probabilities(model, source[row : row + 1], target)[0], 0.4, q)
            total = sum(log_p[i, label] for i, label in enumerate(labels))
            assert score == pytest.approx(total / ((5 + len(labels)) / 6) ** 0.6, rel=1e-3)


@pytest.mark.slow
def test_a_split_is_translated_with_the_smoothing_of_its_run_undone(tmp_path):
    task = TranslationTask()
    settings = {"training.alpha": 0.3, "training.smoothing": "unigram"}
    config = resolve_config(task, None, {**small_translation.settings(tmp_path), **settings})
    data = task.load_data(config)
    model = task.build_model(config, data)
    undoing = dataclasses.replace(
        config, decoding=dataclasses.replace(config.decoding, unsmooth="fitted")
    )
    log_ps = []
    for either in (config, undoing):
        found = translate_examples(model, data.splits["test"], either, data, lambda *at: None)
        log_ps.append([one["log_p"] for one in found])
    assert log_ps[0] != pytest.approx(log_ps[1], rel=1e-3)
    translator = Translator.for_model(
        model, undoing.decoding, unsmooth=build_unsmoothing(undoing, data)
    )
    assert translator.unsmooth == Unsmoothing(0.3, Unigram(data.class_counts))

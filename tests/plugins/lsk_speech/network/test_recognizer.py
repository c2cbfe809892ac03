import dataclasses

import keras
import numpy as np
import pytest

import small_speech
from ls_base.errors import InputError, LsKerasError
from ls_keras.calibration import calibrated
from ls_keras.decoding import Unsmoothing
from ls_keras.decoding.model_search import padded_batches
from lsk_speech.config import DecodingConfig, ModelConfig
from lsk_speech.model import listen
from lsk_speech.network.recognizer import CoverageScorer, Recognizer
from lsk_speech.units import END_ID, PAD_ID, START_ID

K, LENGTH = 9, np.array([30, 17, 5, 24], np.int32)
SMALL = {
    key.removeprefix("model."): value
    for key, value in small_speech.SETTINGS.items()
    if key.startswith("model.")
}
CONFIG = DecodingConfig(beam_size=3, tokens_per_second=10, token_margin=2)  # 5 tokens at most


def build(attention="location", sharp=1.0):
    features = keras.Input((None, 4), name="features")
    length = keras.Input((), dtype="int32", name="length")
    target = keras.Input((None,), dtype="int32", name="target")
    config = ModelConfig(**SMALL, attention=attention)
    logits = listen(features, length, target, config, K, 0)
    model = keras.Model({"features": features, "length": length, "target": target}, logits)
    layer = model.get_layer("logits")
    layer.set_weights([sharp * w for w in layer.get_weights()])
    return model


@pytest.fixture
def inputs(rng):
    x = rng.normal(size=(4, 30, 4)).astype(np.float32)
    x *= (np.arange(30) < LENGTH[:, None])[..., None]
    return {"features": x, "length": LENGTH}


def log_probabilities(model, inputs, target, temperature=1.0):
    """The whole model on the whole prefix, teacher-forced, in float64."""
    z = np.float64(keras.ops.convert_to_numpy(model({**inputs, "target": target}))) / temperature
    z -= z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def total(model, inputs, row, labels, temperature=1.0):
    """Sums the log-probabilities of `labels` of the utterance `row`."""
    target = np.array([[START_ID, *labels][: len(labels)]], np.int32)
    one = {name: values[row : row + 1] for name, values in inputs.items()}
    log_p = log_probabilities(model, one, target, temperature)[0]
    return sum(log_p[i, label] for i, label in enumerate(labels))


def greedy_by_full_passes(model, inputs, max_length):
    target = np.full((4, max_length + 1), PAD_ID, np.int32)
    target[:, 0] = START_ID
    for position in range(max_length):
        z = log_probabilities(model, inputs, target)[:, position]
        z[:, [PAD_ID, START_ID]] = -np.inf
        ended = (target == END_ID).any(1)
        target[:, position + 1] = np.where(ended, END_ID, z.argmax(-1))
    return [row[1:][row[1:] != END_ID] for row in target]


@pytest.mark.parametrize("attention", ["location", "uniform"])
def test_one_beam_is_greedy_by_full_passes(inputs, attention):
    model = build(attention, sharp=5.0)
    found = Recognizer(model, dataclasses.replace(CONFIG, beam_size=1)).recognize(inputs)
    for transcripts, wanted in zip(found, greedy_by_full_passes(model, inputs, 5), strict=True):
        np.testing.assert_array_equal(transcripts[0][0], wanted)


def test_scores_are_those_of_full_passes(inputs):
    model = build(sharp=3.0)
    config = dataclasses.replace(CONFIG, length_penalty=0.6)
    recognizer = Recognizer(model, config, num_return=3)
    for row, transcripts in enumerate(recognizer.recognize(inputs, temperature=0.5)):
        scores = [one.score for one in transcripts]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(tokens) for tokens, *_ in transcripts}) == 3
        for tokens, score, _ in transcripts:
            labels = [*tokens, END_ID][:5]  # an unfinished one has no end token
            expected = total(model, inputs, row, labels, 0.5) / ((5 + len(labels)) / 6) ** 0.6
            assert score == pytest.approx(expected, rel=1e-4)


def test_scores_are_of_what_smoothing_left_out(inputs):
    model = build(sharp=3.0)
    recognizer = Recognizer(model, CONFIG, num_return=2, unsmooth=Unsmoothing(0.3))
    for row, transcripts in enumerate(recognizer.recognize(inputs)):
        one = {name: values[row : row + 1] for name, values in inputs.items()}
        for tokens, score, _ in transcripts:
            labels = [*tokens, END_ID][:5]
            target = np.array([[START_ID, *labels][: len(labels)]], np.int32)
            rest = np.maximum(np.exp(log_probabilities(model, one, target)[0]) - 0.3 / K, 0)
            p_star = rest / rest.sum(-1, keepdims=True)
            expected = sum(np.log(p_star[i, label]) for i, label in enumerate(labels))
            assert score == pytest.approx(expected, rel=1e-3)


def test_coverage_is_counted_in_the_score(inputs):
    model = build()
    config = dataclasses.replace(CONFIG, coverage=0.5, coverage_threshold=0.6)
    plain = Recognizer(model, CONFIG, num_return=3)
    covered = Recognizer(model, config, num_return=3).recognize(inputs)
    decoder = model.get_layer("decoder")
    encoded, frames = plain.encoder(inputs)
    for row, transcripts in enumerate(covered):
        for tokens, score, _ in transcripts:
            labels = [*tokens, END_ID][:5]
            target = np.array([[START_ID, *labels][: len(labels)]], np.int32)
            states = decoder.run(target, encoded[row : row + 1], frames[row : row + 1])
            attended = keras.ops.convert_to_numpy(states["attended"])[0, -1]
            expected = total(model, inputs, row, labels) + 0.5 * (attended > 0.6).sum()
            assert score == pytest.approx(expected, rel=1e-4)


def test_the_bound_on_coverage_is_one(rng):
    """No transcript of up to 20 tokens scores above the bound of any of its beginnings."""
    scorer = CoverageScorer(0.6, 0.3, 0.4)
    valid = np.arange(12) < 9
    weights = rng.dirichlet(np.full(9, 0.2), size=20)
    attended = np.pad(np.cumsum(weights, axis=0), ((0, 0), (0, 3))).astype(np.float32)
    log_probs = np.float32(-0.3 * np.arange(1, 21))

    def state(n):
        return {"decoder": {"attended": attended[n : n + 1]}, "memory": {"valid": valid[None]}}

    scores = [float(scorer.score(log_probs[n : n + 1], n + 1, state(n))[0]) for n in range(20)]
    for n in range(20):
        assert float(scorer.bound(log_probs[n : n + 1], 20, state(n))[0]) >= max(scores[n:])


def test_a_temperature_in_the_model_or_in_the_search_is_the_same(inputs):
    model = build(sharp=3.0)
    scaled = calibrated(model, 1.7)
    inside = Recognizer(scaled, CONFIG).recognize(inputs)
    outside = Recognizer(model, CONFIG).recognize(inputs, temperature=1.7)
    for first, second in zip(inside, outside, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == pytest.approx(second[0][1], rel=1e-4)


def test_long_recordings_are_few_together():
    batches = padded_batches(
        [2000] * 32 + [60_000] * 2,
        DecodingConfig().batch_size,
        shortest=Recognizer.shortest,
        most_positions=Recognizer.most_positions,
    )
    assert [len(batch.filled) for batch in batches] == [32, 1, 1]


def test_more_transcripts_than_beams_are_refused():
    with pytest.raises(InputError, match="Expected 1 to 3 hypotheses"):
        Recognizer(build(), CONFIG, num_return=4)


def test_a_model_that_emits_nan_is_reported(inputs):
    with pytest.raises(LsKerasError, match="Expected finite logits from the model"):
        Recognizer(build(sharp=np.nan), CONFIG).recognize(inputs)

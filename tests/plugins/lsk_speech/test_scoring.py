import dataclasses

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import small_speech
from ls_base.errors import InputError
from ls_keras.calibration import calibrated
from ls_keras.decoding.model_search import padded_size
from lsk_engine.data.datasets import training_source
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.optimizers import build_optimizer
from lsk_speech.network.recognizer import Recognizer
from lsk_speech.scoring import recognize_examples, score, utterances_of
from lsk_speech.task import SpeechTask
from tiny_task import Letters


def nobody(done, total):
    pass


@pytest.fixture
def loaded(tmp_path):
    task = SpeechTask()
    config = resolve_config(
        task, None, {**small_speech.settings(tmp_path), "decoding.beam_size": 2}
    )
    data = task.load_data(config)
    return config, data, task.build_model(config, data)


@pytest.mark.slow
def test_order_and_batch_size_make_no_difference(loaded):
    config, data, model = loaded
    sizes, sound = utterances_of(data.splits["train"])
    sizes = np.where(np.arange(len(sizes)) % 3 == 0, 70, sizes)  # two padded lengths
    assert len({padded_size(int(n), Recognizer.shortest) for n in sizes}) > 1
    found = []
    for batch_size in (3, 64):
        decoding = dataclasses.replace(config.decoding, batch_size=batch_size)
        seen: list[tuple[int, int]] = []
        recognizer = Recognizer(model, decoding)
        found.append(
            recognizer.search_all(
                sizes,
                lambda rows, size, to=recognizer: to.arguments(sound(rows, size)),
                lambda *at, seen=seen: seen.append(at),
            )
        )
        assert seen[-1] == (len(sizes), len(sizes))
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first[0][0], second[0][0])
        assert first[0][1] == pytest.approx(second[0][1], rel=1e-4)


def test_a_temperature_behind_the_logits_keeps_greedy_transcripts(loaded):
    config, data, model = loaded
    config = dataclasses.replace(config, decoding=dataclasses.replace(config.decoding, beam_size=1))
    scaled = calibrated(model, 2.0)
    arguments = (data.splits["test"], config, data, nobody)
    assert recognize_examples(scaled, *arguments) == recognize_examples(model, *arguments)


@pytest.mark.slow
def test_greedy_and_beam_agree_on_a_model_that_is_certain(tmp_path):
    """A network that has learned eight utterances by heart."""
    task = SpeechTask()
    small = small_speech.settings(tmp_path)
    config = resolve_config(
        task,
        None,
        {
            **small,
            "data.max_train_examples": 8,
            "model.dropout": 0,
            "optimizer.learning_rate": 0.03,
        },
    )
    data = task.load_data(config)
    model = task.build_model(config, data)
    batch = training_source(config, data).batch(0)
    model.compile(build_optimizer(config.optimizer, 120), build_loss(config, data, "sum"))
    for _ in range(120):
        loss = model.train_on_batch(batch.inputs, batch.labels, batch.sample_weight)
    assert loss < 0.1
    for beam_size in (1, 4):
        decoding = dataclasses.replace(config.decoding, beam_size=beam_size)
        found = recognize_examples(
            model,
            data.splits["train"],
            dataclasses.replace(config, decoding=decoding),
            data,
            nobody,
        )
        assert found == data.splits["train"].references


@pytest.mark.parametrize(("size", "padded"), [(1, 64), (64, 64), (65, 96), (97, 128), (300, 384)])
def test_lengths_are_few(size, padded):
    assert padded_size(size, Recognizer.shortest) == padded


def test_other_examples_are_refused():
    with pytest.raises(InputError, match="Expected utterances. Received: Letters"):
        utterances_of(Letters(3, 0))


WORD = st.sampled_from(["a", "b", "cd", "e"])
REFERENCE = st.lists(WORD, min_size=1, max_size=6).map(" ".join)
HYPOTHESIS = st.lists(WORD, max_size=6).map(" ".join)


def test_by_hand():
    """Of 6 words: "two" became "too", "three" is gone, "five" came in."""
    found = score(["one two three", "four", "six seven"], ["one too", "four five", "six seven"])
    assert found.values == pytest.approx(
        {
            "wer": 100 * 3 / 6,
            "substitutions": 100 / 6,
            "insertions": 100 / 6,
            "deletions": 100 / 6,
            # "w" became "o", " three" is 6 characters, " five" is 5; 13 + 4 + 9 in all
            "cer": 100 * (1 + 6 + 5) / 26,
            "ser": 100 * 2 / 3,
            "length_ratio": 6 / 6,
        }
    )
    assert next(iter(found.values)) == "wer"


@given(st.lists(st.tuples(REFERENCE, HYPOTHESIS), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_rates_are_jiwers(pairs):
    references, hypotheses = (list(side) for side in zip(*pairs, strict=True))
    values = score(references, hypotheses).values
    assert values["wer"] == pytest.approx(100 * jiwer.wer(references, hypotheses))
    assert values["cer"] == pytest.approx(100 * jiwer.cer(references, hypotheses))
    parts = values["substitutions"] + values["insertions"] + values["deletions"]
    assert parts == pytest.approx(values["wer"])


def test_the_interval_is_that_of_resampled_rates():
    """Against a loop that scores each resampling by jiwer."""
    rng = np.random.default_rng(5)
    references = [" ".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(40)]
    hypotheses = [r if rng.random() < 0.6 else "a b" for r in references]
    low, high = score(references, hypotheses).intervals["wer"]
    rates = []
    for _ in range(400):
        rows = rng.integers(40, size=40)
        rates.append(100 * jiwer.wer([references[i] for i in rows], [hypotheses[i] for i in rows]))
    assert low == pytest.approx(np.percentile(rates, 2.5), abs=4)
    assert high == pytest.approx(np.percentile(rates, 97.5), abs=4)


def test_perfect_and_empty():
    perfect = score(["one two"], ["one two"])
    assert {perfect.values[name] for name in perfect.better} == {0.0}
    assert perfect.values["length_ratio"] == 1
    assert score(["one two"], [""]).values["deletions"] == 100


def test_different_numbers_are_told():
    with pytest.raises(InputError, match="Received: 1 and 2"):
        score(["a", "b"], ["a"])


def test_the_length_ratio_is_of_words_and_neither_more_nor_less_is_better():
    found = score(["one two three", "four"], ["one too", ""])
    assert found.values["length_ratio"] == 2 / 4
    assert found.labels["length_ratio"] == "length / reference"
    assert set(found.values) - set(found.better) == {"length_ratio"}

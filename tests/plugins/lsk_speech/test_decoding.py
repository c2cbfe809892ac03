import dataclasses

import numpy as np
import pytest

import small_speech
from ls_base.errors import InputError
from ls_keras.calibration import calibrated
from ls_keras.decoding.padded_batches import padded_size
from lsk_engine.data.batch_sources import training_source
from lsk_engine.data.configuration import resolve
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.optimizers import build_optimizer
from lsk_speech.decoding import recognize_examples, utterances_of
from lsk_speech.network.recognizer import Recognizer
from lsk_speech.task import SpeechTask
from tiny_task import Letters


def nobody(done, total):
    pass


@pytest.fixture
def loaded(tmp_path):
    task = SpeechTask()
    config = resolve(task, None, {**small_speech.settings(tmp_path), "decoding.beam_size": 2})
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
    config = resolve(
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

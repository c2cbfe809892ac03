import keras
import numpy as np
import pytest

import small_speech
from lsk_engine.settings.resolving import resolve_config
from lsk_speech.model import build_recognizer
from lsk_speech.network.recognizer import Recognizer
from lsk_speech.task import SpeechTask

SOUNDS = {"data.sample_rate": 1000, "data.normalization": "utterance"}


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture(params=["waveforms", "features"])
def model_and_inputs(request, tmp_path):
    """Both inputs that a model can have, and one batch of nine utterances."""
    task = SpeechTask()
    if request.param == "waveforms":
        config = resolve_config(task, None, {**small_speech.SETTINGS, **SOUNDS})
        data = small_speech.sounds()
    else:
        config = resolve_config(task, None, small_speech.settings(tmp_path))
        data = task.load_data(config)
    examples = data.splits["test"]
    inputs, _ = examples.gather(np.arange(len(examples)), int(examples.sizes.max()))
    return build_recognizer(config, data), inputs


def test_padding_in_time_and_of_tokens_changes_nothing(model_and_inputs):
    model, inputs = model_and_inputs
    before = numpy(model(inputs))
    padded = {}
    for name, values in inputs.items():
        more = {"audio": 135, "features": 13, "target": 2}.get(name, 0)
        padded[name] = np.pad(values, [(0, 0), (0, more), (0, 0)][: values.ndim])
    after = numpy(model(padded))[:, : before.shape[1]]
    np.testing.assert_allclose(after, before, atol=2e-5)


def test_utterances_do_not_see_one_another(model_and_inputs):
    model, inputs = model_and_inputs
    together = numpy(model(inputs))
    alone = numpy(model({name: values[2:3] for name, values in inputs.items()}))
    np.testing.assert_allclose(alone[0], together[2], atol=2e-5)


def test_the_future_is_hidden(model_and_inputs):
    model, inputs = model_and_inputs
    changed = {**inputs, "target": inputs["target"].copy()}
    changed["target"][:, 2:] = 5
    first, second = numpy(model(inputs)), numpy(model(changed))
    np.testing.assert_allclose(first[:, :2], second[:, :2], atol=1e-6)
    assert np.abs(first[:, 2:] - second[:, 2:]).max() > 1e-4


def test_the_step_of_decoding_gives_the_logits_of_training(model_and_inputs):
    model, inputs = model_and_inputs
    expected = numpy(model(inputs))
    recognizer = Recognizer(model, resolve_config(SpeechTask(), None, {}).decoding)
    state, _ = recognizer.begin(*recognizer.arguments(inputs))
    for n in range(expected.shape[1]):
        decoded, state = recognizer.step(inputs["target"][:, n], state, n)
        logits = recognizer.logits(decoded)
        np.testing.assert_allclose(numpy(logits), expected[:, n], atol=2e-5)


@pytest.mark.tensorflow
def test_training_is_one_graph_whatever_the_number_of_tokens():
    """The loop over tokens is in the graph: a longer transcript adds no operation to it."""
    import tensorflow as tf

    config = resolve_config(SpeechTask(), None, {**small_speech.SETTINGS, **SOUNDS})
    model = build_recognizer(config, small_speech.sounds())

    def operations(tokens):
        run = tf.function(lambda **inputs: model(inputs))
        graph = run.get_concrete_function(
            audio=tf.TensorSpec((2, 600)),
            length=tf.TensorSpec((2,), "int32"),
            target=tf.TensorSpec((2, tokens), "int32"),
        ).graph
        return len(graph.get_operations())

    assert operations(3) == operations(30)

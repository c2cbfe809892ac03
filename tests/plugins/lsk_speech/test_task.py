import pytest

import small_speech
from ls_base.errors import InputError
from lsk_engine.conformance import TaskContract
from lsk_engine.data.configuration import resolve
from lsk_speech.task import SpeechTask


class TestSpeech(TaskContract):
    def task(self):
        return SpeechTask()

    def settings(self, folder):
        return small_speech.settings(folder)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"model.name": "ctc"}, "one of las. Received: 'ctc'"),
        ({"model.attention": "hard"}, "location, content, uniform. Received: 'hard'"),
        ({"model.dropout": 1.0}, r"model.dropout in \[0, 1\)"),
        ({"model.encoder_layers": 0}, "model.encoder_layers at least 1"),
        ({"model.convolutions": -1}, "model.convolutions at least 0"),
        ({"model.pyramid_layers": 3}, "0 to model.encoder_layers=1. Received: 3"),
        ({"model.location_kernel": 4}, "model.location_kernel to be odd. Received: 4"),
        ({"model.guided_attention_sigma": 0}, "model.guided_attention_sigma above 0"),
        ({"model.time_mask_ratio": 1.5}, r"model.time_mask_ratio in \[0, 1\]"),
        ({"decoding.beam_size": 0}, "decoding.beam_size at least 1"),
        ({"decoding.coverage": -1}, "decoding.coverage at least 0"),
        ({"decoding.temperature": 0}, "decoding.temperature to be a finite number > 0"),
    ],
)
def test_bad_settings_are_told(setting, message):
    with pytest.raises(InputError, match=message):
        resolve(SpeechTask(), None, {**small_speech.SETTINGS, **setting})

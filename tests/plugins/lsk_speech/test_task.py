import pytest

import small_speech
from ls_base.errors import InputError
from lsk_engine.conformance import TaskContract
from lsk_engine.settings.resolving import resolve_config
from lsk_speech.task import SpeechTask


class TestSpeech(TaskContract):
    def task(self):
        return SpeechTask()

    def settings(self, folder):
        return small_speech.settings(folder)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"model.dropout": 1.0}, r"model.dropout to be a number in \[0, 1\)"),
        ({"model.pyramid_layers": 3}, "at most model.encoder_layers=1. Received: 3"),
        ({"model.location_kernel": 4}, "model.location_kernel to be odd. Received: 4"),
    ],
)
def test_bad_settings_are_told(setting, message):
    with pytest.raises(InputError, match=message):
        resolve_config(SpeechTask(), None, {**small_speech.SETTINGS, **setting})

import json

import pytest

from ls_base.errors import InputError, LsKerasError
from lsk_speech.features.features_spec import Sound

SOUND = Sound("log-mel", 16000, num_mel_bins=80, deltas=True, by_speaker=False)


@pytest.mark.parametrize(
    "sound", [SOUND, Sound("features", None, num_mel_bins=80, deltas=False, by_speaker=True)]
)
def test_what_a_model_hears_is_kept_with_it(sound):
    assert Sound.from_artifacts(sound.artifacts) == sound


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": "smell"}, "a valid input in sound.json. Received: 'smell'"),
        ({"sample_rate": "16000"}, "sample_rate in sound.json to be int | null. .*'16000'"),
        ({"sample_rate": 1}, "sample_rate in sound.json"),
        ({"sample_rate": None}, "a sample_rate in sound.json.*None with input 'log-mel'"),
        ({"num_mel_bins": 10**9}, "num_mel_bins in sound.json to be int <= 4096"),
        ({"deltas": 1}, "deltas in sound.json to be bool. Received: 1"),
    ],
)
def test_what_cannot_be_heard_is_told(change, message):
    content = {**json.loads(SOUND.artifacts["sound.json"]), **change}
    with pytest.raises(InputError, match=message):
        Sound.from_artifacts({"sound.json": json.dumps(content).encode()})


def test_a_run_that_does_not_say_is_told():
    with pytest.raises(LsKerasError, match="Expected sound.json of a run. Received: none"):
        Sound.from_artifacts({})

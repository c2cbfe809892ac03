import numpy as np
import pytest

import speech_files
from ls_base.errors import InputError
from lsk_engine.data.prepared.prepared_data import prepare
from lsk_engine.settings.resolving import resolve_config
from lsk_speech.task import SpeechTask

TASK = SpeechTask()


@pytest.mark.parametrize(
    "settings",
    [
        {"data.units": "characters"},
        {"data.input": "log-mel", "data.num_mel_bins": 6, "data.normalization": "speaker"},
        {"data.units": "subwords", "data.vocabulary_size": 16, "data.max_train_examples": 9},
    ],
)
def test_prepared_data_are_the_data(settings, tmp_path):
    speech_files.write_manifest(tmp_path / "own")
    made_with = {"data.source": str(tmp_path / "own"), "data.sample_rate": 8000, **settings}
    data = prepare(TASK, resolve_config(TASK, None, made_with), tmp_path / "data")
    config = resolve_config(TASK, None, {"data.source": str(tmp_path / "data")})
    assert config.data.sample_rate == 8000
    for artifacts in (None, data.artifacts):
        read = TASK.load_data(config, artifacts)
        assert list(read.splits) == list(data.splits)
        assert isinstance(read.splits["train"].speech.rows.values, np.memmap)
        for name in ("artifacts", "notes", "class_names", "num_classes"):
            assert getattr(read, name) == getattr(data, name), name
        np.testing.assert_array_equal(read.class_counts, data.class_counts)
        for name, examples in data.splits.items():
            again = read.splits[name]
            rows = np.random.default_rng(0).permutation(len(examples))
            for first, second in zip(
                examples.gather(rows, None), again.gather(rows, None), strict=True
            ):
                np.testing.assert_equal(first, second)
            assert list(again.references) == list(examples.references)
            assert list(again.speakers) == list(examples.speakers)


def test_data_of_another_run_are_told(tmp_path):
    speech_files.write_manifest(tmp_path / "own")
    given = {"data.source": str(tmp_path / "own"), "data.sample_rate": 8000}
    prepare(TASK, resolve_config(TASK, None, given), tmp_path / "data")
    other = TASK.load_data(resolve_config(TASK, None, {**given, "data.units": "characters"}))
    config = resolve_config(TASK, None, {"data.source": str(tmp_path / "data")})
    with pytest.raises(InputError, match="prepared with other units or features"):
        TASK.load_data(config, other.artifacts)

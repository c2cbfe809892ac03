import pytest

import small_translation
from ls_base.errors import InputError
from lsk_engine.conformance import TaskContract
from lsk_engine.settings.resolving import resolve_config
from lsk_translation.task import TranslationTask


class TestTranslation(TaskContract):
    def task(self):
        return TranslationTask()

    def settings(self, folder):
        return small_translation.settings(folder)


def test_pairs_beyond_max_length_leave_training_only(tmp_path):
    task = TranslationTask()
    settings = {**small_translation.settings(tmp_path), "data.max_length": 6}
    data = task.load_data(resolve_config(task, None, settings))
    assert data.splits["train"].sizes.max() <= 6
    assert len(data.splits["test"]) == 9
    assert data.splits["test"].sizes.max() > 6
    assert any("over 6 pieces unused" in note for note in data.notes)


def test_no_pair_left_is_told(tmp_path):
    task = TranslationTask()
    (tmp_path / "text").mkdir()
    settings = {**small_translation.settings(tmp_path), "data.max_length": 2}
    for side in ("en", "de"):
        (tmp_path / "text" / f"train.{side}").write_text("abcd abcd abcd\n" * 3)
    data = task.load_data(resolve_config(task, None, settings))
    with pytest.raises(InputError, match=r"data.max_length=2 pieces. Received: none"):
        len(data.splits["train"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"model.heads": 3}, "multiple of model.heads. Received: 16 and 3"),
        ({"model.dropout": 1.0}, r"model.dropout to be a number in \[0, 1\)"),
    ],
)
def test_bad_settings_are_told(setting, message):
    with pytest.raises(InputError, match=message):
        resolve_config(TranslationTask(), None, {**small_translation.SETTINGS, **setting})

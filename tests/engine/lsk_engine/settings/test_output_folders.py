"""What a stranger's configuration may not choose: where something is written."""

import dataclasses

import pytest

from lsk_engine.settings.output_folders import mark_folder, may_write, output_folder
from lsk_engine.settings.resolving import resolve_config, restore_config
from tiny_task import DataConfig, TinyTask


@dataclasses.dataclass(frozen=True)
class Cached(DataConfig):
    cache: str | None = output_folder()


class CachingTask(TinyTask):
    data_config = Cached


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "elsewhere"


def test_what_is_said_now_is_done_and_what_is_stored_is_not(elsewhere):
    config = resolve_config(CachingTask(), None, {"data.cache": str(elsewhere)})
    assert config.data.cache == str(elsewhere)
    assert restore_config(CachingTask(), config.to_dict()).data.cache is None


def test_a_folder_that_was_written_to_before_may_be_again(elsewhere):
    config = resolve_config(CachingTask(), None, {"data.cache": str(elsewhere)})
    mark_folder(elsewhere)
    assert restore_config(CachingTask(), config.to_dict()) == config


def test_the_present_folder_is_ones_own(elsewhere):
    config = resolve_config(CachingTask(), None, {"data.cache": "cache"})
    assert restore_config(CachingTask(), config.to_dict()) == config


@pytest.mark.parametrize("path", ["..", "../elsewhere/new", "/", "~", "link/x", "circle/x", "a\0b"])
def test_ways_out_of_the_present_folder_are_none(elsewhere, path):
    (elsewhere.parent / "here" / "link").symlink_to(elsewhere)
    (elsewhere.parent / "here" / "circle").symlink_to("circle")
    assert not may_write(path)
    assert may_write("new/folder")
    assert may_write(str(elsewhere / "x"), inside=[elsewhere])

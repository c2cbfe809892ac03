import dataclasses

import pytest

from ls_base.errors import LsKerasError
from lsk_engine.settings.protocols import check_settings_classes, has_search
from lsk_engine.tasks.registry import load_task
from tiny_task import DataConfig, DecodingConfig, TinyTask


@dataclasses.dataclass(frozen=True)
class Searches:
    beam_size: int = 4
    temperature: float = 1.0
    length_penalty: float = 0.6


@dataclasses.dataclass(frozen=True)
class Sourceless:
    points: int = 3


@dataclasses.dataclass(frozen=True)
class PathSource:
    source: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class BeamsOnly:
    beam_size: int = 4


@dataclasses.dataclass(frozen=True)
class WholeTemperature:
    beam_size: int = 4
    temperature: int = 1


@dataclasses.dataclass(frozen=True)
class WholeAlpha:
    unsmooth: int = 0


@pytest.mark.parametrize("name", ["image", "speech", "translation"])
def test_our_own_tasks_have_what_is_read_of_them(name):
    check_settings_classes(load_task(name))


def test_a_task_searches_or_does_not():
    assert has_search(Searches)
    assert has_search(Searches())
    assert not has_search(DecodingConfig)


@pytest.mark.parametrize(
    ("part", "cls", "message"),
    [
        ("data_config", Sourceless, "data_config of task 'tiny' to have a field `source: str`. "
         "Received: no such field"),
        ("data_config", PathSource, "a field `source: str`. Received: list"),
        ("data_config", dict, "data_config of task 'tiny' to be a frozen dataclass. Received: "
         "<class 'dict'>"),
        ("model_config", None, "model_config of task 'tiny' to be a frozen dataclass"),
        ("decoding_config", BeamsOnly, "a field `temperature: float`. Received: no such field"),
        ("decoding_config", WholeTemperature, "a field `temperature: float`. Received: int"),
        ("decoding_config", WholeAlpha, "a field `unsmooth: "),
        ("presets", (), "Expected at least one preset of task 'tiny'. Received: none"),
        ("study_preset", "few", "study_preset of task 'tiny' to be one of tiny. Received: 'few'"),
    ],
)  # fmt: skip
def test_a_plugin_author_is_told_what_is_missing(part, cls, message):
    class Task(TinyTask):
        pass

    setattr(Task, part, cls)
    with pytest.raises(LsKerasError) as told:
        check_settings_classes(Task())
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_a_task_whose_settings_are_in_order_passes():
    class Task(TinyTask):
        data_config = DataConfig
        decoding_config = Searches

    check_settings_classes(Task())

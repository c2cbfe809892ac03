import dataclasses

import pytest

from lsk_engine.settings.resolving import setting_keys
from lsk_engine.settings.settings_docs import document_settings
from lsk_engine.tasks.registry import load_task
from tiny_task import TinyTask

TASKS = ("image", "keras", "speech", "translation")


@pytest.mark.parametrize("task", TASKS)
def test_every_setting_has_a_meaning(task):
    """A field without a line in its class's docstring is one that nobody can look up."""
    found = document_settings(load_task(task))
    assert [setting.key for setting in found] == setting_keys(load_task(task))
    assert [setting.key for setting in found if not setting.meaning] == []


def test_a_meaning_may_have_several_lines_and_ends_with_the_section():
    @dataclasses.dataclass(frozen=True)
    class DataConfig:
        """Data.

        Attributes:
            source: Which; a name:
                or a path.
            sizes: How large.

        Something else: here.
        """

        source: str = "a"
        sizes: tuple[int, ...] | None = None
        untold: float = 0.5

    class Task(TinyTask):
        data_config = DataConfig

    found = {s.key: s for s in document_settings(Task()) if s.key.startswith("data.")}
    assert found["data.source"].meaning == "Which; a name: or a path."
    assert found["data.sizes"].meaning == "How large."
    assert found["data.sizes"].kind == "a list (an integer each) or none"
    assert (found["data.untold"].meaning, found["data.untold"].default) == ("", 0.5)

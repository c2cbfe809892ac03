import importlib.metadata

import pytest

from ls_base.errors import InputError, LsKerasError, MissingExtraError
from lsk_engine.tasks import registry
from lsk_engine.tasks.contract import Task


@pytest.fixture
def installed(monkeypatch):
    """Replaces what is installed by entry points `name=value`."""

    def install(**values):
        points = [
            importlib.metadata.EntryPoint(name, value, registry.TASK_GROUP)
            for name, value in values.items()
        ]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)

    return install


def test_the_built_in_task_comes_through_the_same_door():
    assert "translation" in [p.name for p in registry.plugins(registry.TASK_GROUP)]
    assert isinstance(registry.load_task("translation"), Task)


def test_finding_is_not_loading(installed):
    installed(broken="no.such.module:Task")
    assert [p.name for p in registry.plugins(registry.TASK_GROUP)] == ["broken"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:Task", "ModuleNotFoundError"),
        ("json:dumps", "subclass of lsk_engine.tasks.contract.Task"),
        ("lsk_engine.tasks.contract:Task", "implement the whole contract"),
    ],
)
def test_a_broken_plugin_is_one_line(installed, value, message):
    installed(mine=value)
    with pytest.raises(LsKerasError, match=message) as caught:
        registry.load_task("mine")
    assert "\n" not in str(caught.value)


def test_an_unknown_task_is_told_with_near_matches():
    with pytest.raises(InputError, match="Near matches: translation. Received: 'translatoin'"):
        registry.load_task("translatoin")


def test_a_missing_extra_says_what_to_install():
    task = registry.load_task("translation")
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'ls-keras\[translation\]'"),
        registry.needing_extra(task),
    ):
        import no_such_package  # noqa: F401

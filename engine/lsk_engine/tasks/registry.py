"""Finding task plugins through the entry-point group `ls_keras.tasks`. Finding is not loading."""

import contextlib
import dataclasses
import importlib.metadata
from collections.abc import Iterator

from ls_base.errors import InputError, LsKerasError, MissingExtraError, suggest
from lsk_engine.settings.protocols import check_settings_classes
from lsk_engine.tasks.contract import Task

TASK_GROUP = "ls_keras.tasks"
COMMAND_GROUP = "ls_keras.commands"


@dataclasses.dataclass(frozen=True)
class Plugin:
    """One entry point: found, not yet imported."""

    entry_point: importlib.metadata.EntryPoint

    @property
    def name(self) -> str:
        """The name it is called by."""
        return self.entry_point.name

    @property
    def distribution(self) -> str:
        """The installed distribution that brings it, as `name version`."""
        dist = self.entry_point.dist
        return f"{dist.name} {dist.version}" if dist else "unknown"

    def load(self):
        """Imports it.

        Raises:
            LsKerasError: In one line, whatever went wrong: a plugin is somebody else's code.
        """
        try:
            return self.entry_point.load()
        except Exception as error:
            raise LsKerasError(
                f"Expected plugin '{self.name}' ({self.distribution}) to load from "
                f"{self.entry_point.value}. Received: {type(error).__name__}: {error}"
            ) from error


def plugins(group: str) -> list[Plugin]:
    """Returns what is installed in an entry-point group, sorted by name, nothing imported."""
    found = {e.name: Plugin(e) for e in importlib.metadata.entry_points(group=group)}
    return [found[name] for name in sorted(found)]


def load_task(name: str) -> Task:
    """Imports and creates the task `name`.

    Raises:
        InputError: If there is no such task.
        LsKerasError: If the plugin can't be imported, or isn't a task as the contract has it.
    """
    found = {p.name: p for p in plugins(TASK_GROUP)}
    if name not in found:
        raise InputError(f"Expected an installed task. {suggest(name, found)}")
    task = found[name].load()
    if not (isinstance(task, type) and issubclass(task, Task)):
        raise LsKerasError(
            f"Expected plugin '{name}' ({found[name].distribution}) to be a subclass of "
            f"lsk_engine.tasks.contract.Task. Received: {task!r}"
        )
    try:
        made = task()
    except TypeError as error:
        raise LsKerasError(
            f"Expected plugin '{name}' ({found[name].distribution}) to implement the whole "
            f"contract. Received: {error}"
        ) from error
    check_settings_classes(made)
    return made


def tasks_that_load() -> Iterator[tuple[str, Task]]:
    """Yields the installed tasks with their names; one that can't be imported is left out."""
    for plugin in plugins(TASK_GROUP):
        with contextlib.suppress(LsKerasError):
            yield plugin.name, load_task(plugin.name)


@contextlib.contextmanager
def needing_extra(task: Task) -> Iterator[None]:
    """Turns the absence of a package that the task needs into advice on what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if task.extra is None:
            raise
        raise MissingExtraError(
            f"Expected the packages of task '{task.name}': pip install '{task.extra}'. "
            f"Received: no module named {error.name!r}"
        ) from error

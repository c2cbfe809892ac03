"""Keeping other processes from a run while one of the engine's functions writes it."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task

_P = ParamSpec("_P")
_R = TypeVar("_R")


def writes_run(
    function: Callable[Concatenate[Task, Config, RunDirectory, _P], _R],
) -> Callable[Concatenate[Task, Config, RunDirectory, _P], _R]:
    """Decorates what writes a run: it holds the run's lock, see `RunDirectory.at_work`."""

    @functools.wraps(function)
    def holding(task: Task, config: Config, run: RunDirectory, *args: _P.args, **kwargs: _P.kwargs):
        with run.at_work():
            return function(task, config, run, *args, **kwargs)

    return holding

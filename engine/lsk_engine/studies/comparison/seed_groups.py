"""Runs that differ in nothing but their seed, together."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ls_base.errors import InputError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.parsing import flat
from lsk_engine.studies.settings_diff import SEED, differing, telling


@dataclasses.dataclass(frozen=True)
class SeedGroup:
    """Runs that differ in nothing but their seed.

    Attributes:
        settings: Those in which groups differ, by dotted key.
        runs: The runs by seed, in the order of the seeds.
    """

    settings: Mapping[str, Any]
    runs: Mapping[int, RunDirectory]


def seed_groups(runs: Sequence[RunDirectory], *, without: Collection[str] = ()) -> list[SeedGroup]:
    """Returns the groups, in the order of their first runs.

    Args:
        runs: Runs of one task.
        without: Settings by dotted key in which the runs of a group may differ, too.

    Raises:
        InputError: If there is no run, a run is given twice, tasks differ, or two runs differ in
            nothing.
        FileError: If there is no run at a path.
    """
    if not runs or len({run.path.resolve() for run in runs}) < len(runs):
        raise InputError(
            f"Expected one or more different runs. Received: {[str(run.path) for run in runs]}"
        )
    configs = [flat(run.read_config()) for run in runs]
    tasks = sorted({str(config["task"]) for config in configs})
    if len(tasks) > 1:
        raise InputError(f"Expected runs of one task. Received: {', '.join(tasks)}")
    found: dict[str, dict[int, RunDirectory]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for run, config in zip(runs, configs, strict=True):
        seed = config.get(SEED, 0)
        told = {name: value for name, value in telling(config).items() if name not in without}
        key = repr(sorted(told.items()))
        settings[key] = told
        of_group = found.setdefault(key, {})
        if seed in of_group:
            raise InputError(
                f"Expected runs that differ in a setting or the seed. Received: {run.path} and "
                f"{of_group[seed].path}"
            )
        of_group[seed] = run
    names = differing(list(settings.values()))
    return [
        SeedGroup({name: settings[key].get(name) for name in names}, dict(sorted(of_group.items())))
        for key, of_group in found.items()
    ]
